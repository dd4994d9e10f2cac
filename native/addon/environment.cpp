#include "addon/environment.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "addon/options.h"
#include "paho/hooks.h"
#include "platform/file_lock.h"
#include "platform/loopback.h"
#include "platform/socket.h"
#include "streams/openssl.h"

namespace aiomqtt {
namespace {

// Environments that want Paho's trace. Never destroyed, as the engine's threads use it.
struct TraceAudience {
  std::mutex mutex;
  std::vector<std::shared_ptr<Inbox>> inboxes;
};

TraceAudience& audience() {
  static auto* const instance = new TraceAudience;
  return *instance;
}

void on_trace(int level, const char* text) noexcept try {
  const std::lock_guard lock(audience().mutex);
  const Bytes bytes(reinterpret_cast<const std::uint8_t*>(text),
                    std::char_traits<char>::length(text));
  for (const auto& inbox : audience().inboxes) {
    Inbox::Writer writer(*inbox);
    writer.append(make_record(event::kTrace, 0, static_cast<std::uint32_t>(level), bytes.size()),
                  bytes);
  }
} catch (const std::bad_alloc&) {
  // A line less.
}

void set_traced(const std::shared_ptr<Inbox>& inbox, bool traced) {
  const std::lock_guard lock(audience().mutex);
  std::erase(audience().inboxes, inbox);
  if (traced) audience().inboxes.push_back(inbox);
  set_trace_listener(audience().inboxes.empty() ? nullptr : on_trace);
}

SharedBuffer copy_of(const Napi::Uint8Array& payload) {
  auto copy = std::make_shared<RawBuffer>();
  copy->append({payload.Data(), payload.ByteLength()});
  return copy;
}

// A number of messages or bytes; Infinity, or what is no number, is any number of them.
std::uint64_t total_of(const Napi::Value& value) {
  constexpr double kTooMany = 9e15;
  const double total = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : kTooMany;
  return total < kTooMany ? static_cast<std::uint64_t>(total) : Credit::kUnlimited;
}

}  // namespace

// No exception of C++ may reach Node, which is no C++ of ours.
template <Environment::Method method>
Napi::Value Environment::guarded(const Napi::CallbackInfo& info) {
  try {
    return (this->*method)(info);
  } catch (const std::bad_alloc&) {
    Napi::Error error = Napi::Error::New(info.Env(), "Cannot allocate memory");
    error.Set("code", Napi::String::New(info.Env(), "ENOMEM"));
    error.ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
}

template <Environment::Method method>
Environment::PropertyDescriptor Environment::method_of(const char* name) {
  return InstanceMethod(name, &Environment::guarded<method>);
}

Environment::Environment(Napi::Env env, Napi::Object exports) {
  DefineAddon(
      exports,
      {method_of<&Environment::attach>("attach"), method_of<&Environment::hold>("hold"),
       method_of<&Environment::release>("release"), method_of<&Environment::open>("open"),
       method_of<&Environment::keep>("keep"), method_of<&Environment::stage>("stage"),
       method_of<&Environment::stage_kept>("stageKept"), method_of<&Environment::submit>("submit"),
       method_of<&Environment::grant>("grant"), method_of<&Environment::drain>("drain"),
       method_of<&Environment::lend>("lend"), method_of<&Environment::lead>("lead"),
       method_of<&Environment::trace>("trace"), method_of<&Environment::traffic>("traffic"),
       method_of<&Environment::pair>("pair"), method_of<&Environment::join>("join"),
       method_of<&Environment::set_socket_option>("setSocketOption"),
       method_of<&Environment::lock_file>("lockFile")});
  exports.Set("hasTls", Napi::Boolean::New(env, openssl::library() != nullptr));
  exports.Set("pahoVersion", Napi::String::New(env, AIOMQTT_PAHO_VERSION));
}

Napi::Value Environment::attach(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (inbox_) return env.Undefined();
  doorbell_.emplace(env, info[0]);
  inbox_ = std::make_shared<Inbox>(
      [this] {
        const auto exit_waits = engine_.gate().hold_off_exit();
        doorbell_->ring();
      },
      [this] { lane_->resume_all(inbox_); });
  lane_ = engine_.make_lane();
  if (info[1].ToBoolean().Value()) loop_ = EventLoop::make(env, info[0], lane_, inbox_);
  // After the doorbell and the event loop's hook were made, hence before Node takes them down.
  env.AddCleanupHook([this] { teardown(); });
  return env.Undefined();
}

void Environment::teardown() noexcept {
  set_traced(inbox_, false);
  if (loop_ != nullptr) std::exchange(loop_, nullptr)->stop();
  Engine::abandon(inbox_, *lane_);
  doorbell_->release();
}

Napi::Value Environment::hold(const Napi::CallbackInfo& info) {
  doorbell_->hold();
  return info.Env().Undefined();
}

Napi::Value Environment::release(const Napi::CallbackInfo& info) {
  doorbell_->let_go();
  return info.Env().Undefined();
}

Napi::Value Environment::open(const Napi::CallbackInfo& info) {
  ConnectionOptions options = read_connection_options(info[0].As<Napi::Object>());
  return Napi::Number::New(info.Env(), engine_.open(std::move(options), inbox_, lane_));
}

Napi::Value Environment::stage(const Napi::CallbackInfo& info) {
  staged_.push_back(copy_of(info[0].As<Napi::Uint8Array>()));
  return info.Env().Undefined();
}

Napi::Value Environment::keep(const Napi::CallbackInfo& info) {
  const SharedBuffer copy = copy_of(info[0].As<Napi::Uint8Array>());
  auto owner = std::make_unique<SharedBuffer>(copy);
  // Runtimes without external buffers get another copy to look at.
  const auto view = Napi::Buffer<std::uint8_t>::NewOrCopy(
      info.Env(), const_cast<std::uint8_t*>(copy->data()), copy->size(),
      [](Napi::BasicEnv, std::uint8_t*, SharedBuffer* shared) { delete shared; }, owner.release());
  auto handle = std::make_unique<SharedBuffer>(copy);
  const napi_status status = napi_wrap(
      info.Env(), view, handle.get(),
      [](napi_env, void* data, void*) { delete static_cast<SharedBuffer*>(data); }, nullptr,
      nullptr);
  NAPI_THROW_IF_FAILED(info.Env(), status, info.Env().Undefined());
  (void)handle.release();
  return view;
}

Napi::Value Environment::stage_kept(const Napi::CallbackInfo& info) {
  void* handle = nullptr;
  const napi_status status = napi_unwrap(info.Env(), info[0], &handle);
  NAPI_THROW_IF_FAILED(info.Env(), status, info.Env().Undefined());
  staged_.push_back(*static_cast<SharedBuffer*>(handle));
  return info.Env().Undefined();
}

Napi::Value Environment::submit(const Napi::CallbackInfo& info) {
  const auto commands = info[0].As<Napi::Uint8Array>();
  const std::size_t size =
      std::min<std::size_t>(info[1].As<Napi::Number>().Uint32Value(), commands.ByteLength());
  const bool must_drain =
      engine_.submit({commands.Data(), commands.Data() + size}, inbox_, std::exchange(staged_, {}));
  if (loop_ != nullptr) loop_->note_submitted();
  return Napi::Boolean::New(info.Env(), must_drain);
}

Napi::Value Environment::grant(const Napi::CallbackInfo& info) {
  engine_.grant(info[0].As<Napi::Number>().Uint32Value(), inbox_, total_of(info[1]),
                total_of(info[2]));
  return info.Env().Undefined();
}

Napi::Value Environment::lead(const Napi::CallbackInfo& info) {
  if (loop_ != nullptr) loop_->try_to_lead();
  return info.Env().Undefined();
}

Napi::Value Environment::drain(const Napi::CallbackInfo& info) {
  auto slab = info[0].As<Napi::Uint8Array>();
  auto index = info[2].As<Napi::Uint32Array>();
  const std::size_t offset = info[1].As<Napi::Number>().Uint32Value();
  if (offset > slab.ByteLength() ||
      index.ElementLength() < Inbox::kRecordsAChunk * record::kWords) {
    Napi::RangeError::New(info.Env(), "drain() needs room for a chunk")
        .ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  const Inbox::Drained drained = inbox_->drain({slab.Data(), slab.ByteLength()}, offset,
                                               {index.Data(), index.ElementLength()});
  const double result = drained.needed > 0 ? -static_cast<double>(drained.needed)
                                           : static_cast<double>(drained.records);
  return Napi::Number::New(info.Env(), result);
}

Napi::Value Environment::lend(const Napi::CallbackInfo& info) {
  // Made first: what is lent must have an owner.
  auto bytes = std::make_unique<RawBuffer>();
  *bytes = inbox_->lend();
  if (bytes->empty()) return info.Env().Null();
  std::uint8_t* const data = bytes->data();
  const std::size_t size = bytes->size();
  // Runtimes without external buffers get a copy.
  return Napi::Buffer<std::uint8_t>::NewOrCopy(
      info.Env(), data, size, [](Napi::BasicEnv, std::uint8_t*, RawBuffer* owner) { delete owner; },
      bytes.release());
}

// False if there is no such connection, or no room.
Napi::Value Environment::traffic(const Napi::CallbackInfo& info) {
  auto array = info[1].As<Napi::Float64Array>();
  const auto traffic = engine_.traffic(info[0].As<Napi::Number>().Uint32Value());
  const bool has_room = array.ElementLength() >= traffic::kFields;
  if (!traffic || !has_room) return Napi::Boolean::New(info.Env(), false);
  double* const into = array.Data();
  into[traffic::kReceived] = static_cast<double>(traffic->received);
  into[traffic::kSent] = static_cast<double>(traffic->sent);
  into[traffic::kRoundTrip] =
      traffic->round_trip_us < 0 ? -1 : static_cast<double>(traffic->round_trip_us) / 1e6;
  into[traffic::kUnread] = static_cast<double>(traffic->held.unread);
  into[traffic::kDelivered] = static_cast<double>(traffic->held.delivered);
  into[traffic::kUnreleased] = static_cast<double>(traffic->held.unreleased);
  into[traffic::kReplies] = static_cast<double>(traffic->replies);
  into[traffic::kAliases] = static_cast<double>(traffic->held.aliases);
  return Napi::Boolean::New(info.Env(), true);
}

Napi::Value Environment::trace(const Napi::CallbackInfo& info) {
  set_traced(inbox_, info[0].As<Napi::Boolean>().Value());
  return info.Env().Undefined();
}

// The two ends of a local stream: one for open(), the other for a socket of Node's. Or an errno.
Napi::Value Environment::pair(const Napi::CallbackInfo& info) {
  std::array<NativeSocket, 2> ends{kNoSocket, kNoSocket};
  if (const int error = open_pair(ends); error != 0) {
    return Napi::Number::New(info.Env(), error);
  }
  const auto result = Napi::Array::New(info.Env(), 2);
  result.Set(0U, Napi::Number::New(info.Env(), static_cast<double>(ends[0])));
  result.Set(1U, Napi::Number::New(info.Env(), static_cast<double>(ends[1])));
  return result;
}

// The same with a listener of JavaScript's as the other end.
Napi::Value Environment::join(const Napi::CallbackInfo& info) {
  NativeSocket socket = kNoSocket;
  std::uint16_t own_port = 0;
  const auto port = static_cast<std::uint16_t>(info[0].As<Napi::Number>().Uint32Value());
  if (const int error = join_loopback(port, socket, own_port); error != 0) {
    return Napi::Number::New(info.Env(), error);
  }
  const auto result = Napi::Array::New(info.Env(), 2);
  result.Set(0U, Napi::Number::New(info.Env(), static_cast<double>(socket)));
  result.Set(1U, Napi::Number::New(info.Env(), own_port));
  return result;
}

// For sockets of Node's, which has no setsockopt(2). 0 or an errno.
Napi::Value Environment::set_socket_option(const Napi::CallbackInfo& info) {
  const auto value = info[3].As<Napi::Uint8Array>();
  const auto socket = static_cast<NativeSocket>(info[0].As<Napi::Number>().Int64Value());
  return Napi::Number::New(info.Env(), set_option(socket, info[1].As<Napi::Number>().Int32Value(),
                                                  info[2].As<Napi::Number>().Int32Value(),
                                                  {value.Data(), value.ByteLength()}));
}

Napi::Value Environment::lock_file(const Napi::CallbackInfo& info) {
  std::unique_ptr<FileLock> lock;
  const int error = FileLock::take(info[0].As<Napi::String>().Utf8Value().c_str(), lock);
  if (error != 0) return Napi::Number::New(info.Env(), error);
  // The function owns the lock, and goes with the environment at the latest.
  return Napi::Function::New(info.Env(), [held = std::shared_ptr(std::move(lock))](
                                             const Napi::CallbackInfo&) mutable { held.reset(); });
}

NODE_API_ADDON(Environment)

}  // namespace aiomqtt
