#include "platform/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <new>

namespace aiomqtt {
namespace {

constexpr int kOwnerOnly = 0600;

template <typename Call>
int retried(Call call) noexcept {
  int result = 0;
  do result = call();
  while (result < 0 && errno == EINTR);
  return result;
}

}  // namespace

// flock() belongs to what open() made: two stores of one process exclude each other as well, and
// closing another descriptor of the file does not release it, as it would with fcntl().
int FileLock::take(const char* utf8_path, std::unique_ptr<FileLock>& lock) noexcept {
  const int file =
      retried([&] { return ::open(utf8_path, O_RDWR | O_CREAT | O_CLOEXEC, kOwnerOnly); });
  if (file < 0) return errno;
  if (retried([&] { return ::flock(file, LOCK_EX | LOCK_NB); }) < 0) {
    const int error = errno == EWOULDBLOCK ? EAGAIN : errno;
    ::close(file);
    return error;
  }
  lock.reset(new (std::nothrow) FileLock(file));
  if (lock) return 0;
  ::close(file);
  return ENOMEM;
}

FileLock::~FileLock() { ::close(static_cast<int>(file_)); }

}  // namespace aiomqtt
