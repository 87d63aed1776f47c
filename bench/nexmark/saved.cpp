#include "saved.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string_view>

namespace nexmark {

namespace {

absl::Status system_failure(const std::string& path, std::string_view what) {
  return absl::InternalError(
      fmt::format("nexmark '{}': cannot {} ({})", path, what, std::strerror(errno)));
}

/// Makes a file or folder durable.
absl::Status sync(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return system_failure(path, "open it");
  const bool synced = ::fsync(file) == 0;
  ::close(file);
  return synced ? absl::OkStatus() : system_failure(path, "make it durable");
}

}  // namespace

absl::Status replace_file(const std::string& path, const std::string& content) {
  const std::string fresh = path + ".new";
  std::ofstream out(fresh, std::ios::trunc);
  out << content;
  out.close();
  if (!out) return system_failure(fresh, "write it");
  if (absl::Status wrong = sync(fresh); !wrong.ok()) return wrong;
  if (std::rename(fresh.c_str(), path.c_str()) != 0) return system_failure(path, "replace it");
  return sync(path.substr(0, path.rfind('/')));
}

absl::StatusOr<std::size_t> splits_in(const std::string& folder, std::size_t fresh) {
  const std::string path = folder + "/splits";
  std::ifstream in(path);
  if (!in) {
    if (absl::Status failed = replace_file(path, fmt::format("{}\n", fresh)); !failed.ok()) {
      return failed;
    }
    return fresh;
  }
  std::size_t known = 0;
  if (!(in >> known) || known == 0 || known > most_splits) {
    return absl::DataLossError(fmt::format(
        "nexmark '{}': it holds no number of splits; give another --checkpoint directory", path));
  }
  return known;
}

}  // namespace nexmark
