#include "addon/doorbell.h"

namespace aiomqtt {

Doorbell::Doorbell(napi_env env, napi_value answer) : env_(env) {
  napi_value name = nullptr;
  napi_create_string_utf8(env, "aiomqtt", NAPI_AUTO_LENGTH, &name);
  napi_create_threadsafe_function(env, answer, nullptr, name, 0, 1, nullptr, nullptr, nullptr,
                                  &Doorbell::answer, &function_);
  let_go();
}

void Doorbell::ring() noexcept {
  napi_call_threadsafe_function(function_, nullptr, napi_tsfn_nonblocking);
}

void Doorbell::hold() noexcept { napi_ref_threadsafe_function(env_, function_); }

void Doorbell::let_go() noexcept { napi_unref_threadsafe_function(env_, function_); }

void Doorbell::release() noexcept { napi_release_threadsafe_function(function_, napi_tsfn_abort); }

void Doorbell::answer(napi_env env, napi_value function, void*, void*) noexcept {
  if (env == nullptr) return;  // the environment goes, and takes what was rung with it
  napi_value undefined = nullptr;
  napi_get_undefined(env, &undefined);
  // What JavaScript throws stays pending and becomes an uncaught exception.
  napi_call_function(env, undefined, function, 0, nullptr, nullptr);
}

}  // namespace aiomqtt
