// The graph that composing a pipeline builds: node factories and the edges between them.
//
// Built by one thread; immutable once a job has started. A node makes a fresh operator for every
// task, so user functions are copied, never shared. Internal.
#pragma once

#include <freshet/core/schema.hpp>
#include <freshet/pipeline/detail/dataflow.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::detail {

using node_id = std::size_t;

/// One output of one node.
struct port_of {
  node_id node = 0;
  std::size_t port = 0;
};

/// Which task gets which rows of an input, where there are several.
enum class distribution : std::uint8_t {
  as_they_are,  ///< Those that the task has anyway.
  by_key,       ///< Those of the key groups that it owns.
  all_to_one,   ///< There is one task, which gets all.
  all_to_all,   ///< Every task gets all.
  in_turn,      ///< Any: spread evenly.
};

/// How an operator whose state can be merged takes its rows from an exchange: as rows, but for
/// those that are aggregated already in the tasks above.
struct pre_aggregated_exchange {
  /// Always; else where it receives the only copy of its rows, so that fewer of them travel.
  bool always = false;
  /// `place`: how messages name the operator.
  std::function<std::unique_ptr<exchange_sender>(
      std::vector<channel_end*> targets, const key_group_owners& owners, const std::string& place)>
      make_sender;
  /// What it makes carries partial aggregates to the second input of the operator.
  std::function<std::unique_ptr<exchange_receiver>(std::size_t channels,
                                                   operator_counters& counters)>
      make_receiver;
};

struct node {
  enum class role : std::uint8_t { source, operation, sink };

  std::string kind;        ///< The operator as its user wrote it: `map`, `window`, `from`.
  std::string name;        ///< Given by the user; the identity of its state.
  std::string state_name;  ///< The identity of its state where the user gives no name.
  role is = role::operation;
  bool named = false;        ///< Whether a name is wanted: it has state or effects.
  bool record_wise = false;  ///< Passes single records through: `event_time` may stand below it.
  bool timed = false;        ///< Its rows have event times.
  bool reorders = false;     ///< Its rows do not come in the order of the log.
  bool orders = false;       ///< Its rows come in one order, whatever order they had before.
  bool timed_sides = false;  ///< So have the rows of its other ports: late records, not dead ones.
  std::string format;        ///< What its state depends on; compared on resume.
  /// What the bytes of its state look like; null where it has none. On resume those of an older
  /// layout are made into those of this one.
  state_layout (*layout)() = nullptr;
  /// How long after the end of a window (event time) its rows are due. Nothing where they do not
  /// wait for a watermark.
  std::optional<duration> fires_after_end = std::nullopt;
  duration holds_back{0};       ///< How far its watermark stays behind that of its input.
  std::vector<port_of> inputs;  ///< By input port.
  distribution takes = distribution::as_they_are;       ///< The rows of its first input.
  distribution sides_take = distribution::as_they_are;  ///< Those of its other inputs.
  std::function<std::unique_ptr<runtime_operator>()> make;
  std::optional<pre_aggregated_exchange> pre_aggregated = std::nullopt;
  std::function<void()> abandon;        ///< Tells a source that it will not be read; may be empty.
  bool wants_entry_frontiers = false;   ///< An `event_time` that fills in `batch::entry_frontiers`.
  std::vector<std::string> unpromised;  ///< What takes this node out of "same log, same rows".
  /// The same, unless the log alone decides the order in which it receives rows.
  std::vector<std::string> unpromised_by_arrival;
  /// Its operators keep to a limit of memory: they use `operator_context::cold`.
  bool limits_memory = false;
  bool has_timers = false;  ///< To its rows it matters, too, where watermarks come between others.
};

class graph {
 public:
  explicit graph(std::string name) : name_(std::move(name)) {}

  const std::string& name() const { return name_; }
  const std::vector<node>& nodes() const { return nodes_; }

  /// Adds a node. Throws `std::invalid_argument` when its name is taken, or when the graph has
  /// already been started.
  node_id add(node fresh);

  /// The source above `from`, through record-wise operators alone. Throws `std::invalid_argument`
  /// naming `for_whom` when there is something else in between.
  node_id source_above(port_of from, std::string_view for_whom) const;

  /// The source at the top of a node's first inputs: for `event_time`, the one it stands below.
  node_id source_of(node_id below) const;

  /// Whether the rows that `below` receives come in the order of the log: nothing above it
  /// reorders.
  bool in_log_order(node_id below) const;

  /// Where the only way down to `below` begins: at a source, or at what brings rows into one order.
  /// Nothing when two streams come together on the way.
  std::optional<node_id> top_of_single_way(node_id below) const;

  /// A name for the state of what brings `inputs` together, made of the names of what they come
  /// from, and other than that of any node before.
  std::string merged_name(const std::vector<port_of>& inputs) const;

  /// Asks the `event_time` above `from` for the entry frontier of every row. What brings rows into
  /// order gives them those of that order. Rows that windows and samplers derive have none.
  /// \return whether all rows from there will have one.
  bool want_entry_frontiers(port_of from);

  /// Whether the rows of one output have event times.
  bool timed(port_of of) const {
    const node& here = nodes_[of.node];
    return of.port == 0 ? here.timed : here.timed_sides;
  }

  /// Throws `std::invalid_argument` unless rows from `of` have event times. `place`: for whom.
  void require_timed(port_of of, const std::string& place) const;

  /// How messages name a node: `window 'activity'`, or `map #3` where it has no name.
  std::string place(node_id id) const;

  void freeze() { frozen_ = true; }
  bool frozen() const { return frozen_; }

 private:
  std::string origin_of(const port_of& from) const;

  std::string name_;
  std::vector<node> nodes_;
  bool frozen_ = false;
};

using graph_handle = std::shared_ptr<graph>;

/// Throws `std::invalid_argument` with `wrong`, when there is something wrong with an option.
void require_usable(const std::string& place, const std::string& wrong);

/// Throws `std::invalid_argument` when a duration given as an option is negative.
void require_not_negative(const std::string& place, const char* option, duration given);

/// Throws `std::invalid_argument` when two columns of a row have one name.
void require_distinct(const std::string& place, const std::vector<std::string>& columns);

}  // namespace freshet::detail
