// The one threadsafe function of an environment: an engine thread rings, the event loop answers by
// calling JavaScript without arguments. It keeps the event loop alive only while it is held.
//
// Plain Node-API, because a worker that is being terminated refuses the call into JavaScript, which
// is no error here, and node-addon-api would end the process over it.
#pragma once

#include "addon/napi_setup.h"

namespace aiomqtt {

class Doorbell {
 public:
  Doorbell(napi_env env, napi_value answer);
  Doorbell(const Doorbell&) = delete;
  Doorbell& operator=(const Doorbell&) = delete;

  // Any thread, until release().
  void ring() noexcept;
  // The environment's thread.
  void hold() noexcept;
  void let_go() noexcept;
  // Nobody will ring any more.
  void release() noexcept;

 private:
  static void answer(napi_env env, napi_value function, void* context, void* data) noexcept;

  napi_env env_;
  napi_threadsafe_function function_ = nullptr;
};

}  // namespace aiomqtt
