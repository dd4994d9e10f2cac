#include "paho/paho_client.h"

#include <MQTTAsync.h>

#include <climits>
#include <cstdio>

#include "paho/seam.h"

#ifdef __ELF__
// Works on one of Paho's commands; 0: there is none that can be worked on. A local function of
// Paho's, which the table makes callable (symbols.json) unless the compiler has left nothing of it.
// Hidden, so that another Paho in the process is never called in its place.
extern "C" __attribute__((weak, visibility("hidden"))) int MQTTAsync_processCommand(void);
#endif

namespace aiomqtt {
namespace {

// Paho multiplies it by 1,000 in an int; connection timeouts are JavaScript's.
constexpr int kNeverTimesOut = INT_MAX / 1000;
constexpr int kMostInflight = 65535;

// Encoded properties as Paho's list; freed at the end of the call that copies it.
class PropertyCopy {
 public:
  explicit PropertyCopy(Bytes encoded) {
    if (encoded.empty()) return;
    char* at = reinterpret_cast<char*>(const_cast<std::uint8_t*>(encoded.data()));
    MQTTProperties_read(&list_, &at, at + encoded.size());
  }
  ~PropertyCopy() { MQTTProperties_free(&list_); }
  PropertyCopy(const PropertyCopy&) = delete;
  PropertyCopy& operator=(const PropertyCopy&) = delete;

  MQTTProperties* get() noexcept { return &list_; }

 private:
  MQTTProperties list_ = MQTTProperties_initializer;
};

PahoListener& listener_of(void* context) noexcept { return *static_cast<PahoListener*>(context); }

void on_connected(void* context, MQTTAsync_successData*) {
  listener_of(context).on_paho_connected();
}
void on_connected5(void* context, MQTTAsync_successData5*) {
  listener_of(context).on_paho_connected();
}

void finish(void* context, int token) noexcept {
  listener_of(context).on_paho_finished(static_cast<std::uint16_t>(token));
}
void on_success(void* context, MQTTAsync_successData* data) { finish(context, data->token); }
void on_success5(void* context, MQTTAsync_successData5* data) { finish(context, data->token); }
// Destroying a handle reports what is unfinished as incomplete; whoever destroys it knows.
void on_failure(void* context, MQTTAsync_failureData* data) {
  if (data->code != MQTTASYNC_OPERATION_INCOMPLETE) finish(context, data->token);
}
void on_failure5(void* context, MQTTAsync_failureData5* data) {
  if (data->code != MQTTASYNC_OPERATION_INCOMPLETE) finish(context, data->token);
}

// Paho demands this callback; messages take another way (receiver.h).
int on_message(void*, char*, int, MQTTAsync_message*) { return 1; }

MQTTAsync_responseOptions response_options(PahoListener* listener, int version) {
  MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
  options.context = listener;
  if (version == kMqtt5) {
    options.onSuccess5 = on_success5;
    options.onFailure5 = on_failure5;
  } else {
    options.struct_version = 0;
    options.onSuccess = on_success;
    options.onFailure = on_failure;
  }
  return options;
}

MQTTAsync create(std::uint32_t connection, const std::string& identifier, int version) {
  MQTTAsync_createOptions options = MQTTAsync_createOptions_initializer5;
  options.MQTTVersion = version;
  options.maxBufferedMessages = INT_MAX;
  char uri[64];
  std::snprintf(uri, sizeof uri, "tcp://%s%u%s:1883", seam::kHostPrefix, connection,
                seam::kHostSuffix);
  MQTTAsync handle = nullptr;
  const int rc = MQTTAsync_createWithOptions(&handle, uri, identifier.c_str(),
                                             MQTTCLIENT_PERSISTENCE_NONE, nullptr, &options);
  return rc == MQTTASYNC_SUCCESS ? handle : nullptr;
}

}  // namespace

int PahoClient::connect(std::uint32_t connection, const ConnectFields& fields,
                        PahoListener& listener) {
  version_ = fields.version;
  listener_ = &listener;
  handle_ = create(connection, fields.identifier, fields.version);
  if (handle_ == nullptr) return MQTTASYNC_FAILURE;
  MQTTAsync_setCallbacks(handle_, nullptr, nullptr, on_message, nullptr);

  MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
  PropertyCopy properties(fields.properties);
  PropertyCopy will_properties(fields.will.properties);
  if (fields.version == kMqtt5) {
    options = MQTTAsync_connectOptions_initializer5;
    options.cleanstart = fields.clean_start ? 1 : 0;
    options.onSuccess5 = on_connected5;
    options.connectProperties = properties.get();
    if (fields.has_will) options.willProperties = will_properties.get();
  } else {
    options.cleansession = fields.clean_start ? 1 : 0;
    options.onSuccess = on_connected;
  }
  options.MQTTVersion = fields.version;
  options.keepAliveInterval = fields.keepalive;
  options.maxInflight = kMostInflight;
  options.connectTimeout = kNeverTimesOut;
  options.context = &listener;
  if (fields.has_username) options.username = fields.username.c_str();
  if (fields.has_password) {
    options.binarypwd.data =
        fields.password.empty() ? "" : static_cast<const void*>(fields.password.data());
    options.binarypwd.len = static_cast<int>(fields.password.size());
  }
  MQTTAsync_willOptions will = MQTTAsync_willOptions_initializer;
  if (fields.has_will) {
    will.struct_version = 1;
    will.topicName = fields.will.topic.c_str();
    will.payload.data =
        fields.will.payload.empty() ? "" : static_cast<const void*>(fields.will.payload.data());
    will.payload.len = static_cast<int>(fields.will.payload.size());
    will.qos = fields.will.qos;
    will.retained = fields.will.retain ? 1 : 0;
    options.will = &will;
  }
  return MQTTAsync_connect(handle_, &options);
}

int PahoClient::publish(const char* topic, Bytes payload, int qos, bool retain, Bytes properties) {
  PropertyCopy list(properties);
  MQTTAsync_responseOptions options = response_options(qos == 0 ? nullptr : listener_, version_);
  if (qos == 0) {
    options.onSuccess = nullptr;
    options.onFailure = nullptr;
    options.onSuccess5 = nullptr;
    options.onFailure5 = nullptr;
  }
  options.properties = *list.get();
  return MQTTAsync_send(handle_, topic, static_cast<int>(payload.size()), payload.data(), qos,
                        retain ? 1 : 0, &options);
}

int PahoClient::publish(const char* topic, const SharedBuffer& payload, int qos, bool retain,
                        Bytes properties) {
  const seam::Offer offer(payload);
  return publish(topic, Bytes(*payload), qos, retain, properties);
}

int PahoClient::subscribe(std::span<const Filter> filters, Bytes properties) {
  PropertyCopy list(properties);
  std::vector<char*> topics;
  std::vector<int> qos;
  std::vector<MQTTSubscribe_options> each;
  for (const Filter& filter : filters) {
    topics.push_back(const_cast<char*>(filter.text));
    qos.push_back(filter.options & 3);
    MQTTSubscribe_options one = MQTTSubscribe_options_initializer;
    one.noLocal = filter.options >> 2 & 1;
    one.retainAsPublished = filter.options >> 3 & 1;
    one.retainHandling = filter.options >> 4 & 3;
    each.push_back(one);
  }
  MQTTAsync_responseOptions options = response_options(listener_, version_);
  options.properties = *list.get();
  if (version_ == kMqtt5) {
    options.subscribeOptions = each.front();
    options.subscribeOptionsCount = static_cast<int>(each.size());
    options.subscribeOptionsList = each.data();
  }
  return MQTTAsync_subscribeMany(handle_, static_cast<int>(topics.size()), topics.data(),
                                 qos.data(), &options);
}

int PahoClient::unsubscribe(std::span<const Filter> filters, Bytes properties) {
  PropertyCopy list(properties);
  std::vector<char*> topics;
  for (const Filter& filter : filters) topics.push_back(const_cast<char*>(filter.text));
  MQTTAsync_responseOptions options = response_options(listener_, version_);
  options.properties = *list.get();
  return MQTTAsync_unsubscribeMany(handle_, static_cast<int>(topics.size()), topics.data(),
                                   &options);
}

void PahoClient::destroy() noexcept {
  if (handle_ != nullptr) MQTTAsync_destroy(&handle_);
  handle_ = nullptr;
}

bool PahoClient::can_work() noexcept {
#ifdef __ELF__
  return MQTTAsync_processCommand != nullptr;
#else
  return false;
#endif
}

void PahoClient::work() noexcept {
#ifdef __ELF__
  while (MQTTAsync_processCommand() != 0) {
  }
#endif
}

int PahoClient::start_threads(PahoHooks& hooks) {
  if (seam::hooks == nullptr) {
    seam::hooks = &hooks;
    // Paho starts its threads with the first connect. This one finds no stream and fails at once.
    MQTTAsync keeper = create(0, "keeper", kMqtt311);
    MQTTAsync_setCallbacks(keeper, nullptr, nullptr, on_message, nullptr);
    MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
    options.MQTTVersion = kMqtt311;
    options.connectTimeout = kNeverTimesOut;
    MQTTAsync_connect(keeper, &options);
  }
  return seam::make_missing_threads();
}

}  // namespace aiomqtt
