#include "platform/file_lock.h"

#include <windows.h>

#include <cerrno>
#include <new>
#include <string>

namespace aiomqtt {
namespace {

// A locked byte cannot be read by others, and the file says who holds it: so one far beyond its
// end.
constexpr DWORD kLockedByteHigh = 0x40000000;

int error_of(DWORD code) noexcept {
  switch (code) {
    case ERROR_LOCK_VIOLATION:
    case ERROR_IO_PENDING:
    case ERROR_SHARING_VIOLATION:
      return EAGAIN;
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
      return ENOENT;
    case ERROR_ACCESS_DENIED:
    case ERROR_WRITE_PROTECT:
      return EACCES;
    case ERROR_TOO_MANY_OPEN_FILES:
      return EMFILE;
    default:
      return EIO;
  }
}

std::wstring wide(const char* utf8) {
  const int length = ::MultiByteToWideChar(CP_UTF8, 0, utf8, -1, nullptr, 0);
  std::wstring text(static_cast<std::size_t>(length), L'\0');
  ::MultiByteToWideChar(CP_UTF8, 0, utf8, -1, text.data(), length);
  return text;
}

}  // namespace

int FileLock::take(const char* utf8_path, std::unique_ptr<FileLock>& lock) noexcept {
  const HANDLE file = ::CreateFileW(wide(utf8_path).c_str(), GENERIC_READ | GENERIC_WRITE,
                                    FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr,
                                    OPEN_ALWAYS, FILE_ATTRIBUTE_NORMAL, nullptr);
  if (file == INVALID_HANDLE_VALUE) return error_of(::GetLastError());
  OVERLAPPED where{};
  where.OffsetHigh = kLockedByteHigh;
  if (!::LockFileEx(file, LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &where)) {
    const int error = error_of(::GetLastError());
    ::CloseHandle(file);
    return error;
  }
  lock.reset(new (std::nothrow) FileLock(reinterpret_cast<System>(file)));
  if (lock) return 0;
  ::CloseHandle(file);
  return ENOMEM;
}

FileLock::~FileLock() { ::CloseHandle(reinterpret_cast<HANDLE>(file_)); }

}  // namespace aiomqtt
