#include "addon/options.h"

#include <sys/socket.h>

namespace aiomqtt {
namespace {

std::vector<std::uint8_t> bytes_of(const Napi::Value& value) {
  if (!value.IsTypedArray()) return {};
  const auto array = value.As<Napi::Uint8Array>();
  return {array.Data(), array.Data() + array.ByteLength()};
}

std::string text_of(const Napi::Value& value) { return value.As<Napi::String>().Utf8Value(); }

int integer_of(const Napi::Value& value) { return value.As<Napi::Number>().Int32Value(); }

bool flag_of(const Napi::Value& value) { return value.As<Napi::Boolean>().Value(); }

std::vector<Address> addresses_of(const Napi::Array& list) {
  std::vector<Address> addresses;
  for (std::uint32_t i = 0; i < list.Length(); ++i) {
    const auto entry = list.Get(i).As<Napi::Array>();
    Address address;
    address.host = text_of(entry.Get(0U));
    address.port = static_cast<std::uint16_t>(integer_of(entry.Get(1U)));
    address.family = integer_of(entry.Get(2U)) == 6 ? AF_INET6 : AF_INET;
    addresses.push_back(std::move(address));
  }
  return addresses;
}

Will will_of(const Napi::Object& object) {
  Will will;
  will.topic = text_of(object.Get("topic"));
  will.payload = bytes_of(object.Get("payload"));
  will.qos = integer_of(object.Get("qos"));
  will.retain = flag_of(object.Get("retain"));
  will.properties = bytes_of(object.Get("properties"));
  return will;
}

}  // namespace

ConnectionOptions read_connection_options(const Napi::Object& object) {
  ConnectionOptions options;
  options.addresses = addresses_of(object.Get("addresses").As<Napi::Array>());
  options.max_inflight = static_cast<std::uint16_t>(integer_of(object.Get("maxInflight")));
  options.session = bytes_of(object.Get("session"));
  ConnectFields& fields = options.fields;
  fields.version = integer_of(object.Get("protocol"));
  fields.identifier = text_of(object.Get("identifier"));
  fields.clean_start = flag_of(object.Get("cleanStart"));
  fields.keepalive = integer_of(object.Get("keepalive"));
  fields.properties = bytes_of(object.Get("properties"));
  if (const Napi::Value username = object.Get("username"); username.IsString()) {
    fields.has_username = true;
    fields.username = text_of(username);
  }
  if (const Napi::Value password = object.Get("password"); password.IsTypedArray()) {
    fields.has_password = true;
    fields.password = bytes_of(password);
  }
  if (const Napi::Value will = object.Get("will"); will.IsObject()) {
    fields.has_will = true;
    fields.will = will_of(will.As<Napi::Object>());
  }
  return options;
}

}  // namespace aiomqtt
