// Following files that grow, as `tail -F` does: the option of every file source.
//
//     fr::lines::read("access.log", {.follow = fr::follow{}})
//
// A followed file has no end: what is appended is read, and an unfinished last line waits for its
// end. A file that is not there yet is waited for. When the file is renamed and a new one of its
// name gets its first byte, the old one is read to its end and then the new one from its beginning.
// When it is cut (`copytruncate`), or gone when a job resumes, a dead letter tells what may have
// been lost, and reading goes on at the beginning of what is there.
//
// A checkpoint holds the file's inode, a checksum of its first bytes, and the place in it. A job
// that resumes finds the file beside its old path under any name that begins with its own, reads it
// to its end, then those rotated after it (`.3`, `.2`, `.1`, or dates in ascending order), and then
// the file itself. Compressed ones are not looked into.
//
// Sequences count the bytes of all these files one after the other, so they ascend.
#pragma once

#include <freshet/core/time.hpp>

#include <chrono>

namespace freshet {

struct follow {
  /// How often a file without anything new is looked at; more than zero. It bounds the delay of a
  /// record, and a look costs a few system calls (about 3 us).
  duration poll = std::chrono::milliseconds(200);
};

}  // namespace freshet
