// The addon in one JavaScript environment (the main thread or a worker): its inbox, its doorbell,
// and the functions that ts/engine/binding.ts describes.
//
// Lifetime: made when the environment loads the addon. When the environment goes, a cleanup hook
// takes its event loop from the lane and closes the inbox, under its lock, so that no engine thread
// rings a doorbell that is gone; then the doorbell is released. Connections end by themselves,
// later, on the engine's threads.
#pragma once

#include <deque>
#include <memory>
#include <optional>

#include "addon/doorbell.h"
#include "addon/event_loop.h"
#include "addon/napi_setup.h"
#include "engine/engine.h"
#include "engine/inbox.h"

namespace aiomqtt {

class Environment final : public Napi::Addon<Environment> {
 public:
  Environment(Napi::Env env, Napi::Object exports);

 private:
  using Method = Napi::Value (Environment::*)(const Napi::CallbackInfo&);
  template <Method method>
  Napi::Value guarded(const Napi::CallbackInfo& info);
  template <Method method>
  static PropertyDescriptor method_of(const char* name);

  Napi::Value attach(const Napi::CallbackInfo& info);
  Napi::Value hold(const Napi::CallbackInfo& info);
  Napi::Value release(const Napi::CallbackInfo& info);
  Napi::Value open(const Napi::CallbackInfo& info);
  Napi::Value keep(const Napi::CallbackInfo& info);
  Napi::Value stage(const Napi::CallbackInfo& info);
  Napi::Value stage_kept(const Napi::CallbackInfo& info);
  Napi::Value submit(const Napi::CallbackInfo& info);
  Napi::Value grant(const Napi::CallbackInfo& info);
  Napi::Value drain(const Napi::CallbackInfo& info);
  Napi::Value lead(const Napi::CallbackInfo& info);
  Napi::Value lend(const Napi::CallbackInfo& info);
  Napi::Value traffic(const Napi::CallbackInfo& info);
  Napi::Value trace(const Napi::CallbackInfo& info);
  Napi::Value pair(const Napi::CallbackInfo& info);
  Napi::Value join(const Napi::CallbackInfo& info);
  Napi::Value set_socket_option(const Napi::CallbackInfo& info);
  Napi::Value lock_file(const Napi::CallbackInfo& info);

  void teardown() noexcept;

  Engine& engine_ = Engine::instance();
  std::optional<Doorbell> doorbell_;
  std::shared_ptr<Inbox> inbox_;
  std::shared_ptr<Lane> lane_;
  EventLoop* loop_ = nullptr;  // deletes itself, after teardown()
  // Payloads of commands that are still to be submitted.
  std::deque<SharedBuffer> staged_;
};

}  // namespace aiomqtt
