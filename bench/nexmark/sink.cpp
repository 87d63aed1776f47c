#include "sink.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

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

absl::Status save_answer(const std::string& path, const std::string& of, const answer& all) {
  const std::string fresh = path + ".new";
  std::ofstream out(fresh, std::ios::trunc);
  out << fmt::format("{}\n{} {:016x}\n", of, all.rows, all.checksum);
  out.close();
  if (!out) return system_failure(fresh, "write it");
  if (absl::Status wrong = sync(fresh); !wrong.ok()) return wrong;
  if (std::rename(fresh.c_str(), path.c_str()) != 0) return system_failure(path, "replace it");
  return sync(path.substr(0, path.rfind('/')));
}

absl::StatusOr<answer> load_answer(const std::string& path, const std::string& of) {
  std::ifstream in(path);
  if (!in) {
    return absl::NotFoundError(
        fmt::format("nexmark '{}': the job has finished, and its answer is not there; remove the "
                    "checkpoint to run it again",
                    path));
  }
  std::string found;
  std::getline(in, found);
  if (found != of) {
    return absl::FailedPreconditionError(
        fmt::format("nexmark '{}': found the answer of '{}', wanted that of '{}'; give another "
                    "--checkpoint directory",
                    path, found, of));
  }
  answer all;
  if (!(in >> all.rows >> std::hex >> all.checksum)) {
    return absl::DataLossError(
        fmt::format("nexmark '{}': it holds no rows and checksum; remove the checkpoint", path));
  }
  return all;
}

}  // namespace nexmark
