// A lock on a file: the kernel grants it to one holder at a time, in whatever process or container,
// and takes it back when the holder's process ends.
#pragma once

#include <cstdint>
#include <memory>

namespace aiomqtt {

// Held while it lives. From any thread.
class FileLock {
 public:
  // Opens the file, which is made if need be, and locks it without waiting.
  // Returns an errno value: EAGAIN when somebody else has the lock. `lock` is set only on success.
  [[nodiscard]] static int take(const char* utf8_path, std::unique_ptr<FileLock>& lock) noexcept;

  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  // A descriptor, on Windows a HANDLE.
  using System = std::intptr_t;
  explicit FileLock(System file) noexcept : file_(file) {}

  System file_;
};

}  // namespace aiomqtt
