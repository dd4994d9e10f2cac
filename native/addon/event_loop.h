// JavaScript's event loop, if it is libuv's: it watches the poller of its environment's lane, so
// that what comes is read without a second thread being woken.
//
// libuv's functions are looked up when they are needed: other runtimes lack them, and its headers
// are not needed for these few, whose binary interface is fixed for all of libuv 1.
//
// The environment's thread only. It outlives the environment's last turn: an asynchronous cleanup
// hook closes the handles, and deletes it when they are closed. stop() comes before.
#pragma once

#include <memory>

#include "addon/napi_setup.h"
#include "engine/lane.h"

namespace aiomqtt {

class EventLoop {
 public:
  // Null if the runtime has no libuv. `answer` is called when events wait.
  [[nodiscard]] static EventLoop* make(napi_env env, napi_value answer, std::shared_ptr<Lane> lane,
                                       std::shared_ptr<Inbox> inbox);
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Leads the lane, unless this is no time for it.
  void try_to_lead() noexcept;
  // Commands have left, some of which may be answered: what comes is not waited for.
  void note_submitted() noexcept;
  // The environment goes: leads no more.
  void stop() noexcept;

 private:
  struct Handles;

  EventLoop(napi_env env, uv_loop_s* loop, std::shared_ptr<Lane> lane,
            std::shared_ptr<Inbox> inbox);
  ~EventLoop();

  // Once the lane has a poller. False: it cannot be watched.
  [[nodiscard]] bool open() noexcept;
  void watch(Lane::Watch watch) noexcept;
  void work() noexcept;
  void call() noexcept;
  static void close(napi_async_cleanup_hook_handle hook, void* self) noexcept;
  void note_closed() noexcept;

  napi_env env_;
  uv_loop_s* const loop_;
  const std::shared_ptr<Lane> lane_;
  const std::shared_ptr<Inbox> inbox_;
  const std::unique_ptr<Handles> handles_;
  napi_ref answer_ = nullptr;
  napi_async_context context_ = nullptr;
  napi_async_cleanup_hook_handle hook_ = nullptr;
  bool polls_ = false;
  bool waits_ = false;
  bool stopped_ = false;
};

}  // namespace aiomqtt
