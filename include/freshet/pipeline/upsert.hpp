// upsert: a table that holds the newest row of every key, in the job's own checkpoint.
//
//     per_card | to("latest", upsert(&balance::card));                       // replaces
//     per_card | to("latest", upsert(&balance::card, &balance::closed));     // and deletes
//
// A row takes the place of the one with the same key. The table is part of every commit, together
// with the state that it follows from: it is exactly once, without a second step, at any
// parallelism. While the job runs it is read with `job.view<balance, std::string>("latest")`, and
// when no job has the directory open with `open_upserts`.
//
// Order: rows of a key apply in the order of arrival, which is that of the log where all rows of a
// key come on one way. Memory: all rows of the table, in the task that owns their key. Rows stay
// until they are replaced or deleted; event time does not end them.
#pragma once

#include <freshet/core/codec.hpp>
#include <freshet/core/hash.hpp>
#include <freshet/core/schema.hpp>
#include <freshet/pipeline/detail/upsert_operator.hpp>
#include <freshet/pipeline/keying.hpp>
#include <freshet/pipeline/stream.hpp>
#include <freshet/state/backend.hpp>

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace freshet {

/// What `upsert` makes; see there.
template <class KeyOf, class Deletes>
struct upsert_description {
  KeyOf key_of;
  Deletes deletes;
};

/// The row of a key replaces the one before. `key_of(row)`: a member pointer or function that
/// returns the key; a row without one (an empty optional) is counted as a dead letter.
template <class KeyOf>
upsert_description<KeyOf, detail::deletes_nothing> upsert(KeyOf key_of) {
  return {std::move(key_of), {}};
}

/// The same, and a row for which `deletes(row)` is true deletes that of its key. `deletes`: a
/// member pointer or function that returns a bool.
template <class KeyOf, class Deletes>
upsert_description<KeyOf, Deletes> upsert(KeyOf key_of, Deletes deletes) {
  return {std::move(key_of), std::move(deletes)};
}

/// `name` identifies the table across restarts. Throws `std::invalid_argument` when another one has
/// the name.
template <class KeyOf, class Deletes>
auto to(std::string name, upsert_description<KeyOf, Deletes> table) {
  return [name = std::move(name), table = std::move(table)]<class T>(const stream<T>& upstream) {
    static_assert(checkpointable<T> && std::copyable<T>,
                  "freshet: rows of upsert must be copyable and checkpointable; describe them with "
                  "BOOST_DESCRIBE_STRUCT, or specialise freshet::codec");
    static_assert(std::is_invocable_r_v<bool, const Deletes&, const T&>,
                  "freshet: upsert needs a member pointer or a function of one row that returns "
                  "whether it deletes the row of its key");
    const auto keyed = upstream | key_by(table.key_of);
    using made = detail::upsert_operator<T, KeyOf, Deletes>;
    static_assert(checkpointable<typename made::key>,
                  "freshet: keys of upsert must be checkpointable; describe them with "
                  "BOOST_DESCRIBE_STRUCT, or specialise freshet::codec");
    detail::node fresh;
    fresh.kind = "upsert";
    fresh.name = name;
    fresh.named = true;
    fresh.timed = upstream.graph()->timed(upstream.from());
    fresh.inputs = {keyed.records().from()};
    fresh.takes = detail::distribution::by_key;
    fresh.format = "key " + format_of<typename made::key>();
    fresh.layout = &made::layout;
    fresh.limits_memory = true;
    fresh.unpromised_by_arrival = {"upsert in the order of arrival"};
    fresh.make = [table] { return std::make_unique<made>(table.key_of, table.deletes); };
    upstream.graph()->add(std::move(fresh));
  };
}

// --- Reading a table from outside of its job
// -----------------------------------------------------

namespace detail {

/// The rows of one table as bytes.
class stored_upserts {
 public:
  static absl::StatusOr<std::shared_ptr<stored_upserts>> open(const std::string& directory,
                                                              const std::string& job,
                                                              const std::string& name,
                                                              const std::string& key_format,
                                                              const value_schema& row);
  /// The same over a checkpoint that is not in a directory. `place`: how messages name it.
  static absl::StatusOr<std::shared_ptr<stored_upserts>> open(
      std::unique_ptr<state_backend> backend, const std::string& place, const std::string& name,
      const std::string& key_format, const value_schema& row);

  /// The row of a key, in the format that was asked for.
  absl::StatusOr<std::optional<std::string>> get(std::uint64_t hash, std::string_view key) const;
  absl::Status for_each(
      absl::FunctionRef<absl::Status(std::string_view key, std::string_view row)> visit) const;

 private:
  stored_upserts(std::unique_ptr<state_backend> backend, std::string place, std::uint32_t state,
                 value_converter convert)
      : backend_(std::move(backend)),
        place_(std::move(place)),
        state_(state),
        convert_(std::move(convert)) {}

  absl::Status damaged(const absl::Status& why) const;

  std::unique_ptr<state_backend> backend_;
  std::string place_;
  std::uint32_t state_;
  value_converter convert_;
};

}  // namespace detail

/// A table that `upsert` keeps, as of the newest commit. Threads: one at a time. Keeps jobs out of
/// the directory while it, or a copy of it, lives.
template <class Row, class Key>
class upsert_table {
 public:
  explicit upsert_table(std::shared_ptr<detail::stored_upserts> stored)
      : stored_(std::move(stored)) {}

  /// The row of `key`, if there is one. Errors: DataLoss where it is damaged.
  absl::StatusOr<std::optional<Row>> get(const Key& key) const {
    const absl::StatusOr<std::optional<std::string>> found =
        stored_->get(stable_hash(key), to_bytes(key));
    if (!found.ok()) return found.status();
    if (!*found) return std::optional<Row>();
    absl::StatusOr<Row> row = from_bytes<Row>(**found);
    if (!row.ok()) return row.status();
    return std::optional<Row>(*std::move(row));
  }

  /// Calls `f(key, row)` for every row, in a stable order that means nothing.
  template <std::invocable<const Key&, const Row&> F>
  absl::Status for_each(F&& f) const {
    return stored_->for_each([&](std::string_view key_bytes, std::string_view bytes) {
      const absl::StatusOr<Key> key = from_bytes<Key>(key_bytes);
      if (!key.ok()) return key.status();
      const absl::StatusOr<Row> row = from_bytes<Row>(bytes);
      if (!row.ok()) return row.status();
      f(*key, *row);
      return absl::OkStatus();
    });
  }

 private:
  std::shared_ptr<detail::stored_upserts> stored_;
};

/// Opens the table that `to(name, upsert(...))` of the job `job` keeps in its checkpoint directory.
/// No job may run there meanwhile. A `Row` may differ from that of the job as schema.hpp says.
/// Errors: NotFound without a commit or such a table; FailedPrecondition when keys or rows are of
/// another type; those of opening a checkpoint.
template <class Row, class Key>
absl::StatusOr<upsert_table<Row, Key>> open_upserts(const std::string& directory,
                                                    const std::string& job,
                                                    const std::string& name) {
  absl::StatusOr<std::shared_ptr<detail::stored_upserts>> stored =
      detail::stored_upserts::open(directory, job, name, format_of<Key>(), schema_of<Row>());
  if (!stored.ok()) return stored.status();
  return upsert_table<Row, Key>(*std::move(stored));
}

}  // namespace freshet
