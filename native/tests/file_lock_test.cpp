// A file's lock has one holder, in one process as among several.
#include "platform/file_lock.h"

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <string>

#include "tests/harness.h"

namespace aiomqtt::testing {
namespace {

// A path that nobody else has, and whose file goes with it.
class TemporaryPath {
 public:
  TemporaryPath() {
    const auto unique = std::to_string(reinterpret_cast<std::uintptr_t>(this));
    path_ = (std::filesystem::temp_directory_path() / ("aiomqtt-lock-" + unique)).string();
    std::filesystem::remove(path_);
  }
  ~TemporaryPath() { std::filesystem::remove(path_); }
  [[nodiscard]] const char* get() const { return path_.c_str(); }

 private:
  std::string path_;
};

TEST("file lock: one holder at a time, until it lets go") {
  const TemporaryPath path;
  std::unique_ptr<FileLock> first;
  std::unique_ptr<FileLock> second;
  CHECK_EQ(FileLock::take(path.get(), first), 0);
  CHECK(first != nullptr);
  CHECK_EQ(FileLock::take(path.get(), second), EAGAIN);
  CHECK(second == nullptr);
  first.reset();
  CHECK_EQ(FileLock::take(path.get(), second), 0);
  CHECK(second != nullptr);
}

TEST("file lock: what the file holds stays, and can be read while it is locked") {
  const TemporaryPath path;
  std::FILE* file = std::fopen(path.get(), "w");
  CHECK(file != nullptr);
  std::fputs("holder", file);
  std::fclose(file);
  std::unique_ptr<FileLock> lock;
  CHECK_EQ(FileLock::take(path.get(), lock), 0);
  CHECK_EQ(std::filesystem::file_size(path.get()), 6U);
}

TEST("file lock: a folder that is not there is an error") {
  std::unique_ptr<FileLock> lock;
  CHECK_EQ(FileLock::take("/there/is/no/such/folder/lock", lock), ENOENT);
  CHECK(lock == nullptr);
}

}  // namespace
}  // namespace aiomqtt::testing
