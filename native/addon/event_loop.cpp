#include "addon/event_loop.h"

#include <cstddef>
#include <cstdint>
#include <utility>

#include "platform/process.h"

namespace aiomqtt {
namespace {

// libuv's handles, which nothing here looks into.
using Handle = void;

// Of libuv's uv_handle_type and uv_poll_event.
constexpr int kPollType = 8;
constexpr int kTimerType = 13;
constexpr int kReadable = 1;

// What is used of libuv.
struct Uv {
  std::size_t (*handle_size)(int type) = nullptr;
  void (*handle_set_data)(Handle* handle, void* data) = nullptr;
  void* (*handle_get_data)(const Handle* handle) = nullptr;
  int (*poll_init)(uv_loop_s* loop, Handle* handle, int fd) = nullptr;
  int (*poll_start)(Handle* handle, int events, void (*on_ready)(Handle*, int, int)) = nullptr;
  int (*poll_stop)(Handle* handle) = nullptr;
  int (*timer_init)(uv_loop_s* loop, Handle* handle) = nullptr;
  int (*timer_start)(Handle* handle, void (*on_time)(Handle*), std::uint64_t timeout_ms,
                     std::uint64_t repeat_ms) = nullptr;
  int (*timer_stop)(Handle* handle) = nullptr;
  void (*unref)(Handle* handle) = nullptr;
  void (*close)(Handle* handle, void (*on_closed)(Handle*)) = nullptr;

  bool is_complete = true;

  template <typename Function>
  void find(Function& function, const char* name) noexcept {
    function = reinterpret_cast<Function>(find_symbol(name));
    is_complete = is_complete && function != nullptr;
  }
};

const Uv& uv() {
  static const Uv functions = [] {
    Uv found;
    found.find(found.handle_size, "uv_handle_size");
    found.find(found.handle_set_data, "uv_handle_set_data");
    found.find(found.handle_get_data, "uv_handle_get_data");
    found.find(found.poll_init, "uv_poll_init");
    found.find(found.poll_start, "uv_poll_start");
    found.find(found.poll_stop, "uv_poll_stop");
    found.find(found.timer_init, "uv_timer_init");
    found.find(found.timer_start, "uv_timer_start");
    found.find(found.timer_stop, "uv_timer_stop");
    found.find(found.unref, "uv_unref");
    found.find(found.close, "uv_close");
    return found;
  }();
  return functions;
}

EventLoop* owner_of(Handle* handle) noexcept {
  return static_cast<EventLoop*>(uv().handle_get_data(handle));
}

}  // namespace

struct EventLoop::Handles {
  std::unique_ptr<std::byte[]> poll = std::make_unique<std::byte[]>(uv().handle_size(kPollType));
  std::unique_ptr<std::byte[]> timer = std::make_unique<std::byte[]>(uv().handle_size(kTimerType));
  int open = 0;  // how many of the two are
};

EventLoop* EventLoop::make(napi_env env, napi_value answer, std::shared_ptr<Lane> lane,
                           std::shared_ptr<Inbox> inbox) {
  uv_loop_s* loop = nullptr;
  if (!Poller::kNests || !uv().is_complete || napi_get_uv_event_loop(env, &loop) != napi_ok) {
    return nullptr;
  }
  auto* const self = new EventLoop(env, loop, std::move(lane), std::move(inbox));
  napi_create_reference(env, answer, 1, &self->answer_);
  napi_value name = nullptr;
  napi_create_string_utf8(env, "aiomqtt", NAPI_AUTO_LENGTH, &name);
  napi_async_init(env, nullptr, name, &self->context_);
  napi_add_async_cleanup_hook(env, &EventLoop::close, self, &self->hook_);
  return self;
}

EventLoop::EventLoop(napi_env env, uv_loop_s* loop, std::shared_ptr<Lane> lane,
                     std::shared_ptr<Inbox> inbox)
    : env_(env),
      loop_(loop),
      lane_(std::move(lane)),
      inbox_(std::move(inbox)),
      handles_(std::make_unique<Handles>()) {}

EventLoop::~EventLoop() = default;

bool EventLoop::open() noexcept {
  if (handles_->open > 0) return true;
  const int descriptor = static_cast<int>(lane_->poller().descriptor());
  if (uv().poll_init(loop_, handles_->poll.get(), descriptor) != 0) return false;
  uv().timer_init(loop_, handles_->timer.get());
  for (Handle* const handle :
       {static_cast<Handle*>(handles_->poll.get()), static_cast<Handle*>(handles_->timer.get())}) {
    uv().handle_set_data(handle, this);
    // Doorbell::hold() alone keeps the loop alive.
    uv().unref(handle);
    ++handles_->open;
  }
  return true;
}

void EventLoop::try_to_lead() noexcept {
  if (stopped_ || waits_ || !lane_->is_open()) return;
  if (polls_ && lane_->is_led_by_loop()) return;
  if (open()) watch(lane_->try_to_lead());
}

void EventLoop::note_submitted() noexcept {
  if (waits_ && lane_->may_be_answered()) watch({true, 0});
}

void EventLoop::stop() noexcept {
  stopped_ = true;
  watch({});
}

void EventLoop::watch(Lane::Watch watch) noexcept {
  const bool waits = watch.leads && watch.wait_ms > 0;
  const bool polls = watch.leads && !waits;
  if (polls != polls_) {
    polls_ = polls;
    if (polls) {
      uv().poll_start(handles_->poll.get(), kReadable,
                      [](Handle* handle, int, int) { owner_of(handle)->work(); });
    } else {
      uv().poll_stop(handles_->poll.get());
    }
  }
  if (waits) {
    uv().timer_start(
        handles_->timer.get(), [](Handle* handle) { owner_of(handle)->work(); },
        static_cast<std::uint64_t>(watch.wait_ms), 0);
  } else if (waits_) {
    uv().timer_stop(handles_->timer.get());
  }
  waits_ = waits;
}

void EventLoop::work() noexcept {
  inbox_->hold_bell();
  watch(lane_->work_on_loop());
  if (inbox_->let_ring()) call();
}

void EventLoop::call() noexcept {
  napi_handle_scope scope = nullptr;
  napi_open_handle_scope(env_, &scope);
  napi_value answer = nullptr;
  napi_value global = nullptr;
  napi_get_reference_value(env_, answer_, &answer);
  napi_get_global(env_, &global);
  // A worker that is being terminated refuses the call, which is no error.
  if (napi_make_callback(env_, context_, global, answer, 0, nullptr, nullptr) ==
      napi_pending_exception) {
    napi_value error = nullptr;
    napi_get_and_clear_last_exception(env_, &error);
    napi_fatal_exception(env_, error);
  }
  napi_close_handle_scope(env_, scope);
}

void EventLoop::close(napi_async_cleanup_hook_handle, void* data) noexcept {
  auto* const self = static_cast<EventLoop*>(data);
  napi_delete_reference(self->env_, self->answer_);
  napi_async_destroy(self->env_, self->context_);
  if (self->handles_->open == 0) {
    self->note_closed();
    return;
  }
  const auto on_closed = [](Handle* handle) {
    EventLoop* const closed = owner_of(handle);
    if (--closed->handles_->open == 0) closed->note_closed();
  };
  uv().close(self->handles_->poll.get(), on_closed);
  uv().close(self->handles_->timer.get(), on_closed);
}

void EventLoop::note_closed() noexcept {
  napi_remove_async_cleanup_hook(hook_);
  delete this;
}

}  // namespace aiomqtt
