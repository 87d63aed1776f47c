#include "sink.hpp"

#include "saved.hpp"

#include <fmt/format.h>

#include <fstream>

namespace nexmark {

absl::Status save_answer(const std::string& path, const std::string& of, const answer& all) {
  return replace_file(path, fmt::format("{}\n{} {:016x}\n", of, all.rows, all.checksum));
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
