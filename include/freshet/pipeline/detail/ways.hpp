// The typed ways between two operators, and what travels on them in band. Internal.
//
// Inside a task data moves as batches by direct calls, one virtual call per batch. Control signals
// travel the same ways in order with the data. Between tasks a way goes through an exchange
// (exchange.hpp), whose ends an outlet makes because it knows the type of the rows.
#pragma once

#include <freshet/core/batch.hpp>
#include <freshet/core/key_group.hpp>
#include <freshet/core/time.hpp>
#include <freshet/pipeline/detail/counters.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace freshet::detail {

/// What travels in band besides data.
struct control {
  enum class kind : std::uint8_t {
    start,        ///< Sent once before anything else: repeat what a restored state has promised.
    watermark,    ///< `frontier`: no more records with an earlier event time on this way.
    idle,         ///< Leave this way out of the minimum until it is active again.
    active,       ///< Count this way again.
    split_ended,  ///< Between a source and its `event_time`: split `split` is exhausted.
    tick,         ///< Between a source and its `event_time`: processing time passed, no data.
    // Between a source that knows better than its records and its `event_time`:
    split_frontier,  ///< Split `split` has no more records before `frontier`.
    split_idle,      ///< Split `split` is not to be waited for.
    split_active,    ///< It is again, also without a record.
    barrier,         ///< Take a snapshot now.
    end,             ///< Nothing follows but barriers.
    /// Measures the way from source number `split`, in which it was made at the processing time
    /// `frontier`. Every one goes to every output and target, behind the rows before it, and says
    /// nothing of time: not merged, not counted, in no checkpoint.
    latency_marker,
  };
  kind what = kind::watermark;
  timestamp frontier = timestamp_min;
  std::uint32_t split = 0;
  std::uint32_t number = 0;  ///< Of a barrier: counted from 1 in each run.
};

class channel_end;
class exchange_sender;
class exchange_receiver;

/// How an exchange spreads rows over the tasks below.
enum class spread : std::uint8_t {
  whole,        ///< Each batch to one task, in turn where there are several.
  by_key,       ///< Each row to the task that owns its key group.
  to_everyone,  ///< Every row to every task.
};

/// Which task owns which key group.
using key_group_owners = std::array<std::uint16_t, key_groups>;

class inlet_base {
 public:
  virtual ~inlet_base() = default;
  virtual void signal(const control& what) = 0;
};

/// The receiving end of a way between two operators.
template <class T>
class inlet : public inlet_base {
 public:
  /// Takes rows whose sole owner the receiver becomes; the caller gets back an unspecified batch.
  virtual void consume(batch<T>& rows) = 0;
  /// Takes rows that others look at too.
  virtual void share(const batch<T>& rows) {
    batch<T> copy = rows;
    consume(copy);
  }
};

class outlet_base {
 public:
  virtual ~outlet_base() = default;
  virtual void attach(inlet_base& target) = 0;
  /// Attaches whatever is attached to `other`. \pre both carry rows of one type.
  virtual void attach_all_of(const outlet_base& other) = 0;
  /// Attaches `by` in the place of `known`. \pre `known` is attached.
  virtual void replace(const inlet_base& known, inlet_base& by) = 0;
  /// The ends of an exchange for the rows of this output.
  virtual std::unique_ptr<exchange_sender> make_sender(std::vector<channel_end*> targets,
                                                       spread how,
                                                       const key_group_owners& owners) const = 0;
  virtual std::unique_ptr<exchange_receiver> make_receiver(std::size_t channels,
                                                           operator_counters& counters) const = 0;
};

/// The sending end: hands everything to each attached inlet, data to the last one for good.
template <class T>
class outlet final : public outlet_base {
 public:
  /// \pre `target` is an `inlet<T>`: the typed handles that composed the graph see to it.
  void attach(inlet_base& target) override { targets_.push_back(static_cast<inlet<T>*>(&target)); }

  void attach_all_of(const outlet_base& other) override {
    targets_ = static_cast<const outlet&>(other).targets_;
  }
  void replace(const inlet_base& known, inlet_base& by) override {
    for (inlet<T>*& target : targets_) {
      if (static_cast<const inlet_base*>(target) == &known) target = static_cast<inlet<T>*>(&by);
    }
  }

  std::unique_ptr<exchange_sender> make_sender(std::vector<channel_end*> targets, spread how,
                                               const key_group_owners& owners) const override;
  std::unique_ptr<exchange_receiver> make_receiver(std::size_t channels,
                                                   operator_counters& counters) const override;

  bool connected() const { return !targets_.empty(); }

  /// Sends `rows`, if any, and leaves the batch empty, with memory to fill again.
  void emit(batch<T>& rows) {
    if (!rows.empty() && connected()) {
      for (std::size_t i = 0; i + 1 < targets_.size(); ++i) targets_[i]->share(rows);
      targets_.back()->consume(rows);
    }
    rows.clear();
  }

  /// Sends rows that this operator does not own.
  void share(const batch<T>& rows) {
    if (rows.empty()) return;
    for (inlet<T>* target : targets_) target->share(rows);
  }

  void signal(const control& what) {
    for (inlet<T>* target : targets_) target->signal(what);
  }

 private:
  std::vector<inlet<T>*> targets_;
};

}  // namespace freshet::detail
