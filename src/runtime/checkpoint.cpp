#include "checkpoint.hpp"

#include <freshet/state/rocksdb.hpp>

#include "state/changes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

namespace freshet::detail {

namespace {

/// For blocks of the database, with their filters and indices.
std::size_t cache_bytes_of(std::size_t memory_limit) {
  constexpr std::size_t least = std::size_t{64} << 10;
  return std::max(least, memory_limit / 4);
}

std::string state_prefix(std::uint32_t state) {
  const auto bytes = encode_state_number(state);
  return {bytes.begin(), bytes.end()};
}

class draft_writer final : public state_writer {
 public:
  draft_writer(snapshot_draft& draft, std::uint32_t state, instance_record& record)
      : draft_(draft), state_(state), record_(record) {}

  void put(std::uint64_t hash, std::string_view key, timestamp expires_at,
           std::string_view value) override {
    draft_.changes.put(state_, hash, key, expires_at, value);
  }
  void erase(std::uint64_t hash, std::string_view key) override {
    draft_.changes.erase(state_, hash, key);
  }
  void summary(std::string bytes, timestamp frontier) override {
    record_.summary = std::move(bytes);
    record_.frontier = frontier;
  }

 private:
  snapshot_draft& draft_;
  std::uint32_t state_;
  instance_record& record_;
};

using row_function = std::function<void(std::uint64_t, std::string_view, std::string_view)>;

/// Until then no row of the operator has expired.
timestamp smallest_frontier(const operator_record& of) {
  timestamp smallest = timestamp_max;
  for (const instance_record& each : of.instances) smallest = std::min(smallest, each.frontier);
  return smallest;
}

class record_reader final : public state_reader {
 public:
  /// `older`: how what it reads becomes what its operator reads; null where it is that.
  record_reader(state_backend& backend, const operator_record& record,
                const state_conversion* older, const key_group_set& own, std::string place)
      : backend_(backend), record_(record), older_(older), own_(own), place_(std::move(place)) {
    if (record_.instances.empty()) fail("it has no instance");
    if (older_ != nullptr) convert_summaries();
    frontiers_.fill(smallest_frontier(record_));
    for (const instance_record& each : record_.instances) {
      for (std::uint32_t group = 0; group < key_groups; ++group) {
        if (each.groups.contains_group(group)) frontiers_[group] = each.frontier;
      }
    }
  }

  std::vector<std::string_view> summaries() const override {
    std::vector<std::string_view> all;
    for (std::size_t i = 0; i < record_.instances.size(); ++i) {
      all.push_back(older_ != nullptr ? summaries_[i] : record_.instances[i].summary);
    }
    return all;
  }
  /// Rows of an older layout are only from the first commit on as operators read them.
  bool can_read_back() const override { return older_ == nullptr && backend_.reads_rows(); }
  bool owns(std::uint64_t hash) const override { return own_.contains(hash); }
  timestamp frontier_of(std::uint64_t hash) const override {
    return frontiers_[key_group_of(hash)];
  }

  void rows(const row_function& row) override {
    const std::string prefix = state_prefix(record_.state);
    if (own_ == key_group_set::all()) {
      scan(prefix, row);
      return;
    }
    // The first byte of a hash names its key group, and one bit more.
    static_assert(key_groups == 128);
    for (std::uint32_t group = 0; group < key_groups; ++group) {
      if (!own_.contains_group(group)) continue;
      for (std::uint32_t byte = 2 * group; byte < 2 * group + 2; ++byte) {
        scan(prefix + static_cast<char>(byte), row);
      }
    }
  }

  [[noreturn]] void fail(std::string_view reason) const override {
    throw job_failure(absl::DataLossError(fmt::format(
        "{}: its state is damaged ({}); go back to a copy of the directory", place_, reason)));
  }

 private:
  void scan(std::string_view prefix, const row_function& row) {
    check(backend_.scan(prefix, [&](std::string_view key, std::string_view value) -> absl::Status {
      if (key.size() < key_prefix_bytes || value.size() < expiry_bytes) fail("a row is too short");
      std::uint64_t hash = 0;
      for (std::size_t i = state_number_bytes; i < key_prefix_bytes; ++i) {
        hash = hash << 8 | static_cast<unsigned char>(key[i]);
      }
      // Rows that had expired at the commit may or may not be gone by now.
      if (decode_expiry(value) <= frontier_of(hash)) return absl::OkStatus();
      key.remove_prefix(key_prefix_bytes);
      value.remove_prefix(expiry_bytes);
      if (older_ == nullptr) {
        row(hash, key, value);
        return absl::OkStatus();
      }
      const absl::StatusOr<std::string> converted = older_->row(key, value);
      if (!converted.ok()) state_reader::fail(converted.status());
      row(hash, key, *converted);
      return absl::OkStatus();
    }));
  }

  void convert_summaries() {
    for (const instance_record& each : record_.instances) {
      absl::StatusOr<std::string> converted = older_->summary(each.summary);
      if (!converted.ok()) state_reader::fail(converted.status());
      summaries_.push_back(*std::move(converted));
    }
  }

  state_backend& backend_;
  const operator_record& record_;
  const state_conversion* older_;
  std::vector<std::string> summaries_;  ///< Where they were converted.
  key_group_set own_;
  std::array<timestamp, key_groups> frontiers_{};  ///< Of who had the group at the commit.
  std::string place_;
};

/// What two fingerprints do not have in common, of the parts that ` | ` separates.
std::pair<std::string_view, std::string_view> different_parts(std::string_view a,
                                                              std::string_view b) {
  constexpr std::string_view between = " | ";
  while (true) {
    const std::size_t end_a = a.find(between);
    const std::size_t end_b = b.find(between);
    if (end_a == a.npos || end_b == b.npos) return {a, b};
    const std::string_view part_a = a.substr(0, end_a);
    const std::string_view part_b = b.substr(0, end_b);
    if (part_a != part_b) return {part_a, part_b};
    a.remove_prefix(end_a + between.size());
    b.remove_prefix(end_b + between.size());
  }
}

}  // namespace

namespace {

const std::string& state_name(const node& of) {
  return of.state_name.empty() ? of.name : of.state_name;
}

/// A pipeline may lose a merge: what it had promised is in the states below it, too.
bool keeps_nothing_alone(const operator_record& record) {
  return record.kind == "merge";
}

}  // namespace

void snapshot_draft::add(snapshot_draft other, std::uint32_t later) {
  changes.add(std::move(other.changes), later);
  for (auto& [node, of_node] : other.instances) instances[node].merge(std::move(of_node));
}

std::string state_identity(const node& of) {
  const bool keeps_state = of.is == node::role::operation &&
                           (of.named || of.kind == "event_time" || !of.state_name.empty());
  return keeps_state ? of.kind + " '" + state_name(of) + "'" : std::string();
}

std::string checkpointer::place() const {
  return options_.checkpoint.backend
             ? std::string("checkpoint")
             : fmt::format("checkpoint '{}'", options_.checkpoint.directory);
}

absl::Status checkpointer::open() {
  if (!enabled()) return absl::OkStatus();
  for (node_id id = 0; id < graph_.nodes().size(); ++id) {
    const node& each = graph_.nodes()[id];
    if (each.named && each.name.empty()) {
      return absl::InvalidArgumentError(
          fmt::format("{}: it has no name, by which a checkpoint would know its state; give it one",
                      graph_.place(id)));
    }
  }
  absl::Status wrong = open_commit();
  if (wrong.ok()) number_states();
  return wrong;
}

absl::Status checkpointer::open_commit() {
  rocksdb_options place_options{.directory = options_.checkpoint.directory,
                                .job = graph_.name(),
                                .keep = options_.checkpoint.keep,
                                .restore_from = options_.checkpoint.restore_from};
  if (limits_memory()) {
    place_options.reads_rows = true;
    place_options.cache_bytes = cache_bytes_of(options_.state.memory_limit);
  }
  absl::StatusOr<std::unique_ptr<state_backend>> backend =
      options_.checkpoint.backend ? options_.checkpoint.backend() : open_rocksdb(place_options);
  if (!backend.ok()) return backend.status();
  backend_ = *std::move(backend);
  if (limits_memory() && !backend_->reads_rows()) {
    return absl::InvalidArgumentError(
        place() +
        ": state.memory_limit is given, and its backend cannot read rows back; give a directory, "
        "or a backend with read_rows");
  }
  if (options_.clock && backend_->has_copy()) {
    next_copy_ = saturating_add(options_.clock(), options_.checkpoint.copy_every);
  }
  absl::StatusOr<std::optional<std::string>> bytes = backend_->manifest();
  if (!bytes.ok()) return bytes.status();
  if (!*bytes) {
    if (options_.resume == resume::required) {
      return absl::NotFoundError(place() +
                                 ": nothing is committed there, and resume is required; give the "
                                 "directory of an earlier run, or allow a fresh start");
    }
    return absl::OkStatus();
  }
  if (options_.resume == resume::never) {
    return absl::FailedPreconditionError(place() +
                                         ": it holds commits of an earlier run; resume from them, "
                                         "or give a new directory");
  }
  absl::StatusOr<manifest> decoded = decode_manifest(**bytes);
  if (!decoded.ok()) {
    return absl::Status(decoded.status().code(),
                        fmt::format("{}: {}", place(), std::string(decoded.status().message())));
  }
  found_ = *std::move(decoded);
  if (found_->key_groups != key_groups) {
    return absl::FailedPreconditionError(
        fmt::format("{}: its state has {} key groups, this build has {}; rerun with the build that "
                    "wrote it",
                    place(), found_->key_groups, key_groups));
  }
  newest_ = *found_;
  if (absl::Status wrong = match_operators(); !wrong.ok()) return wrong;
  if (absl::Status wrong = match_ends(); !wrong.ok()) return wrong;
  return find_dropped_rows();
}

void checkpointer::share_memory(std::size_t instances) {
  if (!limits_memory()) return;
  std::vector<node_id> nodes;
  for (node_id id = 0; id < graph_.nodes().size(); ++id) {
    if (graph_.nodes()[id].limits_memory) nodes.push_back(id);
  }
  if (nodes.empty()) return;
  const std::size_t limit = options_.state.memory_limit;
  const std::size_t uncached = limit - std::min(limit, cache_bytes_of(limit));
  // The program, and what RocksDB has besides its cache.
  const std::size_t rows = uncached - std::min(uncached / 3, std::size_t{32} << 20);
  for (const node_id id : nodes) {
    const std::string identity = state_identity(graph_.nodes()[id]);
    cold_[id] = std::make_unique<cold_rows>(*backend_, pressure_, states_.at(identity),
                                            rows / nodes.size() / instances, graph_.place(id));
  }
}

cold_rows* checkpointer::cold_of(node_id node) const {
  const auto known = cold_.find(node);
  return known == cold_.end() ? nullptr : known->second.get();
}

bool checkpointer::may_be_dropped(const std::string& name) const {
  const std::vector<std::string>& allowed = options_.allow_dropped_state;
  return std::find(allowed.begin(), allowed.end(), name) != allowed.end();
}

/// Their numbers may be given again once no manifest knows them, so that no row may stay.
absl::Status checkpointer::find_dropped_rows() {
  for (const std::uint32_t state : dropped_states_) {
    absl::Status scanned =
        backend_->scan(state_prefix(state), [this](std::string_view key, std::string_view) {
          dropped_rows_.push_back({std::string(key), std::nullopt});
          return absl::OkStatus();
        });
    if (!scanned.ok()) return scanned;
  }
  return absl::OkStatus();
}

std::vector<std::string> checkpointer::warnings() const {
  std::vector<std::string> all;
  if (backend_ != nullptr) all = backend_->warnings();
  for (const std::string& each : dropped_) {
    all.push_back(
        fmt::format("{}: {} is not in the pipeline, and was dropped as allowed", place(), each));
  }
  if (!copy_failure_.empty()) all.push_back(copy_failure_);
  for (node_id id = 0; limits_memory() && id < graph_.nodes().size(); ++id) {
    const node& each = graph_.nodes()[id];
    if (each.takes == distribution::by_key && each.named && !each.limits_memory) {
      all.push_back(fmt::format(
          "state.memory_limit: {} keeps all of its state in memory; only process functions, "
          "sessions and windows with panes keep to the limit",
          graph_.place(id)));
    }
    const cold_rows* cold = cold_of(id);
    if (cold == nullptr || !cold->exceeded()) continue;
    all.push_back(fmt::format(
        "state.memory_limit: timers and what is shared of {} took more than its part of the limit, "
        "{} bytes; raise the limit, or set fewer timers",
        graph_.place(id), cold->budget_bytes()));
  }
  return all;
}

std::string checkpointer::older_because() const {
  // Sinks that have completed their output have no more to take back.
  if (!found_ || found_->finished) return {};
  return backend_->older_because();
}

absl::Status checkpointer::match_operators() {
  std::map<std::string, node_id> present;
  for (node_id id = 0; id < graph_.nodes().size(); ++id) {
    if (const std::string identity = state_identity(graph_.nodes()[id]); !identity.empty()) {
      present.emplace(identity, id);
    }
  }
  for (const operator_record& record : found_->operators) {
    const std::string identity = record.kind + " '" + record.name + "'";
    // Also one that is not used again keeps its number: others must not get it.
    states_.emplace(identity, record.state);
    const auto here = present.find(identity);
    if (here == present.end() && keeps_nothing_alone(record)) continue;
    if (here == present.end() && may_be_dropped(record.name)) {
      dropped_.push_back("state of " + identity);
      dropped_states_.push_back(record.state);
      continue;
    }
    if (here == present.end()) {
      return absl::FailedPreconditionError(fmt::format(
          "{}: it holds state of {}, which the pipeline does not have; keep the operator and its "
          "name, name it in allow_dropped_state, or give a new directory",
          place(), identity));
    }
    const std::string& format = graph_.nodes()[here->second].format;
    if (record.format != format) {
      const auto [then, now] = different_parts(record.format, format);
      return absl::FailedPreconditionError(
          fmt::format("{}: state of {} has format [{}], the pipeline's is [{}]; run it as it was, "
                      "or give a new directory",
                      place(), identity, then, now));
    }
    if (absl::Status wrong = match_layout(identity, record, graph_.nodes()[here->second]);
        !wrong.ok()) {
      return wrong;
    }
  }
  return absl::OkStatus();
}

absl::Status checkpointer::match_layout(const std::string& identity, const operator_record& record,
                                        const node& here) {
  if (here.layout == nullptr) return absl::OkStatus();
  absl::StatusOr<state_conversion> conversion = state_conversion::make(record, here.layout());
  if (!conversion.ok()) {
    return absl::FailedPreconditionError(fmt::format("{}: state of {} has {}", place(), identity,
                                                     std::string(conversion.status().message())));
  }
  if (!conversion->identical()) older_.emplace(identity, *std::move(conversion));
  return absl::OkStatus();
}

/// Gives the states that are new a number that none before has.
void checkpointer::number_states() {
  std::uint32_t next = 0;
  for (const auto& [identity, number] : states_) next = std::max(next, number + 1);
  for (const node& each : graph_.nodes()) {
    const std::string identity = state_identity(each);
    if (!identity.empty() && states_.emplace(identity, next).second) ++next;
  }
}

absl::Status checkpointer::match_ends() {
  const auto find = [this](node::role role, const std::string& name) -> const node* {
    for (const node& each : graph_.nodes()) {
      if (each.is == role && each.name == name) return &each;
    }
    return nullptr;
  };
  for (const source_record& record : found_->sources) {
    const node* here = find(node::role::source, record.name);
    if (here == nullptr && may_be_dropped(record.name)) {
      dropped_.push_back(fmt::format("source '{}'", record.name));
      continue;
    }
    if (here == nullptr) {
      return absl::FailedPreconditionError(fmt::format(
          "{}: it holds positions of source '{}', which the pipeline does not have; keep the "
          "source and its name, name it in allow_dropped_state, or give a new directory",
          place(), record.name));
    }
    if (here->format != record.format) {
      return absl::FailedPreconditionError(fmt::format(
          "{}: source '{}' was read as [{}], the pipeline reads [{}]; run it as it was, "
          "or give a new directory",
          place(), record.name, record.format, here->format));
    }
  }
  for (const node& each : graph_.nodes()) {
    const bool known =
        std::any_of(found_->sinks.begin(), found_->sinks.end(),
                    [&](const sink_record& record) { return record.name == each.name; });
    if (each.is == node::role::sink && !known) {
      return absl::FailedPreconditionError(
          fmt::format("{}: sink '{}' is new since then, and would miss every row from before; run "
                      "with the sinks "
                      "there were, or give a new directory",
                      place(), each.name));
    }
  }
  for (const node& each : graph_.nodes()) {
    if (each.kind == "upsert" && found_operator(state_identity(each)) == nullptr) {
      return absl::FailedPreconditionError(
          fmt::format("{}: upsert '{}' is new since then, and would miss every row from before; "
                      "run with the tables there were, or give a new directory",
                      place(), each.name));
    }
  }
  for (const sink_record& record : found_->sinks) {
    if (find(node::role::sink, record.name) != nullptr) continue;
    if (may_be_dropped(record.name)) {
      dropped_.push_back(fmt::format("sink '{}'", record.name));
    } else {
      return absl::FailedPreconditionError(fmt::format(
          "{}: it holds what sink '{}' has committed, which the pipeline does not have; keep the "
          "sink and its name, name it in allow_dropped_state, or give a new directory",
          place(), record.name));
    }
  }
  return absl::OkStatus();
}

std::optional<source_commit> checkpointer::source(std::string_view name) const {
  if (!found_) return std::nullopt;
  for (const source_record& record : found_->sources) {
    if (record.name == name) return record.at;
  }
  return std::nullopt;
}

std::optional<std::string_view> checkpointer::sink_token(std::string_view name) const {
  if (!found_) return std::nullopt;
  for (const sink_record& record : found_->sinks) {
    if (record.name == name) return record.token;
  }
  return std::nullopt;
}

const operator_record* checkpointer::found_operator(const std::string& identity) const {
  if (!found_) return nullptr;
  for (const operator_record& record : found_->operators) {
    if (record.kind + " '" + record.name + "'" == identity) return &record;
  }
  return nullptr;
}

void checkpointer::restore(node_id node, const key_group_set& groups, runtime_operator& to) {
  const std::string identity = state_identity(graph_.nodes()[node]);
  if (identity.empty()) return;
  const operator_record* record = found_operator(identity);
  if (record == nullptr) return;
  const auto older = older_.find(identity);
  record_reader reader(*backend_, *record, older == older_.end() ? nullptr : &older->second, groups,
                       fmt::format("{}: {}", place(), identity));
  to.restore(reader);
}

std::unique_ptr<state_writer> checkpointer::collect(node_id node, std::size_t instance,
                                                    const key_group_set& groups,
                                                    runtime_operator& from,
                                                    snapshot_draft& into) const {
  const std::string identity = state_identity(graph_.nodes()[node]);
  if (!enabled() || identity.empty()) return nullptr;
  instance_record& record = into.instances[node][instance];
  record.groups = groups;
  auto writer = std::make_unique<draft_writer>(into, states_.at(identity), record);
  from.snapshot(*writer);
  return writer;
}

operator_record checkpointer::record_of(node_id id,
                                        std::map<std::size_t, instance_record> instances) const {
  const node& of = graph_.nodes()[id];
  operator_record record{of.kind, state_name(of), of.format, states_.at(state_identity(of)), {}, {},
                         {}};
  for (auto& [number, each] : instances) record.instances.push_back(std::move(each));
  if (of.layout != nullptr) {
    state_layout layout = of.layout();
    record.summary_format = std::move(layout.summary.text);
    for (row_layout& each : layout.rows) {
      record.row_formats.push_back({std::move(each.tag), std::move(each.schema.text)});
    }
  }
  return record;
}

absl::Status checkpointer::commit(snapshot_draft draft, std::vector<source_record> sources,
                                  std::vector<sink_record> sinks,
                                  std::vector<counter_record> counters, bool finished) {
  manifest next;
  next.epoch = newest_.epoch + 1;
  next.key_groups = key_groups;
  next.finished = finished;
  next.sources = std::move(sources);
  next.sinks = std::move(sinks);
  next.counters = std::move(counters);
  std::vector<state_horizon> horizons;
  for (auto& [id, instances] : draft.instances) {
    operator_record record = record_of(id, std::move(instances));
    horizons.push_back({record.state, smallest_frontier(record)});
    next.operators.push_back(std::move(record));
  }
  // A draft has no rows of states that the pipeline does not have.
  std::vector<state_change_view> changes = draft.changes.in_order();
  std::vector<state_change> others = std::exchange(dropped_rows_, {});
  for (const auto& [identity, older] : older_) {
    if (absl::Status failed = older.rewrite(*backend_, changes, others); !failed.ok()) {
      return absl::Status(failed.code(), fmt::format("{}: {}: {}", place(), identity,
                                                     std::string(failed.message())));
    }
  }
  if (!others.empty()) {
    const std::vector<state_change_view> views = views_of(others);
    changes.insert(changes.end(), views.begin(), views.end());
    std::sort(changes.begin(), changes.end(),
              [](const auto& one, const auto& other) { return one.key < other.key; });
  }
  absl::Status committed = backend_->commit_sorted(changes, encode_manifest(next), horizons);
  if (!committed.ok()) return committed;
  older_.clear();
  newest_ = std::move(next);
  return copy_when_due();
}

/// Only a copy that shows damage ends the job: every later commit would have it, too.
absl::Status checkpointer::copy_when_due() {
  for (const savepoint_request& each : std::exchange(savepoints_, {})) {
    each.answer(backend_->save(each.directory));
  }
  if (!options_.clock || options_.clock() < next_copy_) return absl::OkStatus();
  next_copy_ = saturating_add(options_.clock(), options_.checkpoint.copy_every);
  absl::Status copied = backend_->keep_copy();
  copy_failure_ = std::string(copied.message());
  return absl::IsDataLoss(copied) ? copied : absl::OkStatus();
}

absl::Status checkpointer::note_published() {
  newest_.published = true;
  return backend_->commit({}, encode_manifest(newest_), {});
}

}  // namespace freshet::detail
