#include "addon/options.h"

namespace aiomqtt {
namespace {

// A worker that is being terminated answers every question about an object with nothing: a value
// without even an environment, of which nothing may be asked but its type.

std::vector<std::uint8_t> bytes_of(const Napi::Value& value) {
  if (!value.IsTypedArray()) return {};
  const auto array = value.As<Napi::Uint8Array>();
  return {array.Data(), array.Data() + array.ByteLength()};
}

std::string text_of(const Napi::Value& value) {
  return value.IsString() ? value.As<Napi::String>().Utf8Value() : std::string();
}

int integer_of(const Napi::Value& value) {
  return value.IsNumber() ? value.As<Napi::Number>().Int32Value() : 0;
}

// A number of bytes; 0 for any number.
std::uint64_t size_of(const Napi::Value& value) {
  const double size = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : 0;
  return size >= 1 && size < 9e15 ? static_cast<std::uint64_t>(size) : 0;
}

bool flag_of(const Napi::Value& value) {
  return value.IsBoolean() && value.As<Napi::Boolean>().Value();
}

// The entries that are lists themselves.
std::vector<Napi::Array> lists_of(const Napi::Value& value) {
  std::vector<Napi::Array> lists;
  if (!value.IsArray()) return lists;
  const auto array = value.As<Napi::Array>();
  for (std::uint32_t i = 0; i < array.Length(); ++i) {
    if (const Napi::Value entry = array.Get(i); entry.IsArray()) {
      lists.push_back(entry.As<Napi::Array>());
    }
  }
  return lists;
}

// 4, 6, or 0 for the path of a unix socket.
int family_of(int family) {
  if (family == 0) return AF_UNIX;
  return family == 6 ? AF_INET6 : AF_INET;
}

std::vector<Address> addresses_of(const Napi::Value& list) {
  std::vector<Address> addresses;
  for (const Napi::Array& entry : lists_of(list)) {
    Address address;
    address.host = text_of(entry.Get(0U));
    address.port = static_cast<std::uint16_t>(integer_of(entry.Get(1U)));
    address.family = family_of(integer_of(entry.Get(2U)));
    addresses.push_back(std::move(address));
  }
  return addresses;
}

SocketSetup socket_of(const Napi::Object& object) {
  SocketSetup setup;
  if (const Napi::Value host = object.Get("bindAddress"); host.IsString()) {
    setup.bind.host = text_of(host);
  }
  if (const Napi::Value port = object.Get("bindPort"); port.IsNumber()) {
    setup.bind.port = static_cast<std::uint16_t>(integer_of(port));
  }
  for (const Napi::Array& entry : lists_of(object.Get("socketOptions"))) {
    setup.options.push_back(
        {integer_of(entry.Get(0U)), integer_of(entry.Get(1U)), bytes_of(entry.Get(2U))});
  }
  return setup;
}

TlsOptions tls_of(const Napi::Object& object) {
  TlsOptions tls;
  const auto text = [&](const char* name, std::string& into) {
    if (const Napi::Value value = object.Get(name); value.IsString()) into = text_of(value);
  };
  const auto number = [&](const char* name, int& into) {
    if (const Napi::Value value = object.Get(name); value.IsNumber()) into = integer_of(value);
  };
  text("ca", tls.ca);
  text("crl", tls.crl);
  text("certificate", tls.certificate);
  text("key", tls.key);
  text("passphrase", tls.passphrase);
  text("ciphers", tls.ciphers);
  text("cipherSuites", tls.cipher_suites);
  text("groups", tls.groups);
  text("signatureAlgorithms", tls.signature_algorithms);
  text("serverName", tls.server_name);
  text("verifiedHost", tls.verified_host);
  number("minimumVersion", tls.minimum_version);
  number("maximumVersion", tls.maximum_version);
  tls.alpn = bytes_of(object.Get("alpn"));
  tls.verify = flag_of(object.Get("verify"));
  return tls;
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
  // First, so that it is closed whatever goes wrong with the others.
  if (const Napi::Value descriptor = object.Get("descriptor"); descriptor.IsNumber()) {
    options.descriptor =
        Descriptor(static_cast<NativeSocket>(descriptor.As<Napi::Number>().Int64Value()));
  }
  options.addresses = addresses_of(object.Get("addresses"));
  options.max_inflight = static_cast<std::uint16_t>(integer_of(object.Get("maxInflight")));
  options.hold_acknowledgements = flag_of(object.Get("holdAcknowledgements"));
  options.hold_releases = flag_of(object.Get("holdReleases"));
  options.awaits_credit = true;
  options.largest_message = size_of(object.Get("largestMessage"));
  options.most_unreleased = size_of(object.Get("mostUnreleased"));
  options.latency = std::chrono::milliseconds(integer_of(object.Get("latency")));
  options.topic_aliases = static_cast<std::uint16_t>(integer_of(object.Get("topicAliases")));
  options.session = bytes_of(object.Get("session"));
  options.socket = socket_of(object);
  if (const Napi::Value tls = object.Get("tls"); tls.IsObject()) {
    options.tls = tls_of(tls.As<Napi::Object>());
  }
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
