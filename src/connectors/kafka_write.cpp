// Writing to a topic with librdkafka: in transactions that belong to checkpoints, or at once.
//
// A transaction cannot be resumed by another process, so its rows are kept in the checkpoint's
// token. Whether it was committed is decided by a mark inside it: an offset that it commits to a
// consumer group of the sink's own, with the name of this run (chance) and the token's number. A
// sink that starts takes over the transactional id, which ends whatever the old process had open,
// reads the mark, and produces the token's rows again when the mark is not that token's.
#include "kafka_handle.hpp"

#include <freshet/connectors/detail/kafka_client.hpp>
#include <freshet/core/codec.hpp>

#include <fmt/format.h>
#include <boost/describe/class.hpp>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstring>
#include <random>
#include <stdexcept>
#include <utility>

namespace freshet::kafka::detail {

namespace {

/// What a transaction is known by: the mark in it, and what its token says.
struct transaction_name {
  std::string run;           ///< 32 hexadecimal digits, new with every start of a sink.
  std::uint64_t number = 0;  ///< Ascending within a run.
  friend bool operator==(const transaction_name&, const transaction_name&) = default;
};
BOOST_DESCRIBE_STRUCT(transaction_name, (), (run, number))

struct transaction_token {
  transaction_name name;
  std::string rows;  ///< Messages as bytes, one after the other.
};
BOOST_DESCRIBE_STRUCT(transaction_token, (), (name, rows))

std::string random_run() {
  std::random_device device;
  std::string digits;
  for (int i = 0; i < 4; ++i) digits += fmt::format("{:08x}", device());
  return digits;
}

/// How a call about a transaction went.
enum class verdict : std::uint8_t { done, call_again, start_over, hopeless };

/// A producer and what it says about messages. Threads: one, but for `interrupt`.
class producer {
 public:
  producer(const std::string& topic, const write_options& options)
      : name(topic),
        settings(options),
        events(fmt::format("kafka::write '{}'", topic), options.health) {}

  absl::Status open() {
    auto conf = make_conf(settings.brokers, settings.config, events);
    if (!conf.ok()) return conf.status();
    rd_kafka_conf_set_dr_msg_cb(conf->get(), &producer::on_delivery);
    const bool transactional = settings.guarantee == delivery::exactly_once;
    // Ten minutes: an outage of the brokers may last as long before a transaction is given up.
    const std::string patience = "600000";
    const std::pair<const char*, std::string> own[] = {
        {"enable.idempotence", "true"},
        {"message.max.bytes", std::to_string(settings.message_bytes_max + overhead_bytes)},
        {"message.timeout.ms", transactional ? patience : "0"},
        {"transactional.id", transactional ? settings.transactional_id : ""},
        {"transaction.timeout.ms", transactional ? patience : ""}};
    for (const auto& [property, value] : own) {
      if (value.empty() || is_set_by_user(property)) continue;
      if (absl::Status done = set(conf->get(), events, property, value); !done.ok()) return done;
    }
    if (!is_set_by_user("partitioner")) {
      if (absl::Status done = set(conf->get(), events, "partitioner", "murmur2_random");
          !done.ok()) {
        return done;
      }
    }
    auto made = make_client(RD_KAFKA_PRODUCER, *std::move(conf), events);
    if (!made.ok()) return made.status();
    client = *std::move(made);
    native_topic.reset(rd_kafka_topic_new(client.get(), name.c_str(), nullptr));
    if (!native_topic)
      return status_of(events.place(), "it cannot be written", rd_kafka_last_error());
    return count_partitions(client.get(), native_topic.get(), settings.brokers,
                            settings.connect_within, events, [this] { return is_interrupted(); })
        .status();
  }

  /// Hands a message to the client, which copies it. Waits while its queue is full.
  absl::Status produce(const message& made) {
    while (true) {
      const rd_kafka_resp_err_t error = try_to_produce(made);
      if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return absl::OkStatus();
      if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        return status_of(events.place(), "a message is not taken", error);
      }
      (void)rd_kafka_poll(client.get(), 20);
      if (absl::Status usable = check(); !usable.ok()) return usable;
    }
  }

  /// Waits until every message was delivered, or has failed.
  absl::Status flush() {
    while (rd_kafka_outq_len(client.get()) > 0) {
      (void)rd_kafka_flush(client.get(), call_milliseconds);
      if (absl::Status usable = check(); !usable.ok()) return usable;
    }
    return check();
  }

  /// Serves callbacks. \return why the sink cannot go on.
  absl::Status check() {
    (void)rd_kafka_poll(client.get(), 0);
    if (is_interrupted()) return absl::CancelledError(events.place() + ": interrupted");
    if (events.has_failed()) return events.failure();
    return absl::OkStatus();
  }

  verdict judge(rd_kafka_error_t* raw, std::string_view what) {
    const error_handle error(raw);
    if (!error) {
      events.health().answered();
      return verdict::done;
    }
    const std::string words = fmt::format("{} ({})", what, rd_kafka_error_string(error.get()));
    events.health().failed(words);
    if (rd_kafka_error_is_fatal(error.get()) != 0) {
      events.fail(status_of(events.place(), what, rd_kafka_error_code(error.get()),
                            rd_kafka_error_string(error.get())));
      return verdict::hopeless;
    }
    if (rd_kafka_error_txn_requires_abort(error.get()) != 0) return verdict::start_over;
    if (rd_kafka_error_is_retriable(error.get()) != 0) return verdict::call_again;
    events.fail(status_of(events.place(), what, rd_kafka_error_code(error.get()),
                          rd_kafka_error_string(error.get())));
    return verdict::hopeless;
  }

  /// Waits, unless interrupted.
  void wait(duration pause) {
    std::unique_lock lock(mutex_);
    interruption_.wait_for(lock, pause, [this] { return interrupted_.load(); });
  }
  void interrupt() {
    {
      const std::lock_guard lock(mutex_);
      interrupted_ = true;
    }
    interruption_.notify_all();
  }
  bool is_interrupted() const { return interrupted_; }

  const std::string name;
  const write_options settings;
  client_events events;
  client_handle client;
  topic_handle native_topic;

 private:
  /// Of a message's framing, beyond its key, value and headers.
  static constexpr std::size_t overhead_bytes = 4096;

  bool is_set_by_user(std::string_view property) const {
    return std::any_of(settings.config.begin(), settings.config.end(),
                       [property](const auto& each) { return each.first == property; });
  }

  static auto memory_of(const std::string& bytes) {
    decltype(rd_kafka_vu_t{}.u.mem) memory{};
    memory.ptr = const_cast<char*>(bytes.data());
    memory.size = bytes.size();
    return memory;
  }

  rd_kafka_resp_err_t try_to_produce(const message& made) {
    using headers_handle = std::unique_ptr<rd_kafka_headers_t, destroyer<rd_kafka_headers_destroy>>;
    headers_handle headers;
    if (!made.headers.empty()) {
      headers.reset(rd_kafka_headers_new(made.headers.size()));
      for (const header& each : made.headers) {
        (void)rd_kafka_header_add(headers.get(), each.name.data(),
                                  static_cast<ssize_t>(each.name.size()),
                                  each.value ? each.value->data() : nullptr,
                                  each.value ? static_cast<ssize_t>(each.value->size()) : 0);
      }
    }
    std::array<rd_kafka_vu_t, 7> parts{};
    std::size_t count = 0;
    const auto add = [&](rd_kafka_vtype_t kind) -> rd_kafka_vu_t& {
      parts[count].vtype = kind;
      return parts[count++];
    };
    add(RD_KAFKA_VTYPE_RKT).u.rkt = native_topic.get();
    add(RD_KAFKA_VTYPE_MSGFLAGS).u.i = RD_KAFKA_MSG_F_COPY;
    add(RD_KAFKA_VTYPE_PARTITION).u.i32 = made.partition.value_or(RD_KAFKA_PARTITION_UA);
    if (made.key) add(RD_KAFKA_VTYPE_KEY).u.mem = memory_of(*made.key);
    if (made.value) add(RD_KAFKA_VTYPE_VALUE).u.mem = memory_of(*made.value);
    if (made.at) add(RD_KAFKA_VTYPE_TIMESTAMP).u.i64 = milliseconds_of(*made.at);
    if (headers) add(RD_KAFKA_VTYPE_HEADERS).u.headers = headers.get();
    const error_handle error(rd_kafka_produceva(client.get(), parts.data(), count));
    if (error) return rd_kafka_error_code(error.get());
    (void)headers.release();  // Now the message's.
    return RD_KAFKA_RESP_ERR_NO_ERROR;
  }

  /// 0 would let the client take the present time.
  static std::int64_t milliseconds_of(timestamp at) {
    return std::max<std::int64_t>(
        1, std::chrono::floor<std::chrono::milliseconds>(at.time_since_epoch()).count());
  }

  /// A failure that would come again ends the sink; others end the transaction.
  static void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) return;
    auto& told = *static_cast<client_events*>(opaque);
    const char* const words = rd_kafka_message_errstr(message);
    switch (message->err) {
      case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
      case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
      case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
      case RD_KAFKA_RESP_ERR_INVALID_RECORD:
      case RD_KAFKA_RESP_ERR_INVALID_MSG:
      case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
      case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
      case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
      case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        told.fail(status_of(told.place(), "the brokers refuse a message", message->err, words));
        break;
      default:
        told.health().failed(words);
    }
  }

  std::mutex mutex_;
  std::condition_variable interruption_;
  std::atomic<bool> interrupted_ = false;
};

/// What a message takes, as it is counted against the limits.
std::size_t bytes_of(const message& made) {
  std::size_t bytes = (made.key ? made.key->size() : 0) + (made.value ? made.value->size() : 0);
  for (const header& each : made.headers) {
    bytes += each.name.size() + (each.value ? each.value->size() : 0);
  }
  return bytes;
}

absl::Status refuse_large(const producer& to, const message& made, std::size_t row) {
  const std::size_t bytes = bytes_of(made);
  const std::size_t most = to.settings.message_bytes_max;
  if (bytes <= most) return absl::OkStatus();
  try {
    throw std::length_error(
        fmt::format("a message of {} bytes, wanted at most {}; write less, or "
                    "give a larger message_bytes_max, here and to the topic",
                    bytes, most));
  } catch (...) {
    throw row_failure(row);
  }
}

class at_once_writer final : public writer_client {
 public:
  at_once_writer(const std::string& topic, const write_options& options)
      : producer_(topic, options) {}

  sink_guarantee guarantee() const override { return sink_guarantee::at_least_once; }
  absl::Status start(std::optional<std::string_view>) override { return producer_.open(); }
  absl::Status add(const message& made, std::size_t row) override {
    if (absl::Status fits = refuse_large(producer_, made, row); !fits.ok()) return fits;
    if (absl::Status done = producer_.produce(made); !done.ok()) return done;
    // Callbacks cost more than messages.
    return ++added_ % 256 == 0 ? producer_.check() : absl::OkStatus();
  }
  void interrupt() override { producer_.interrupt(); }
  absl::StatusOr<std::string> prepare() override {
    if (absl::Status done = producer_.flush(); !done.ok()) return done;
    return std::string();
  }
  absl::Status commit(std::string_view) override { return absl::OkStatus(); }

 private:
  producer producer_;
  std::uint64_t added_ = 0;
};

class transactional_writer final : public writer_client {
 public:
  transactional_writer(const std::string& topic, const write_options& options)
      : producer_(topic, options) {}

  sink_guarantee guarantee() const override { return sink_guarantee::exactly_once; }
  void interrupt() override { producer_.interrupt(); }

  absl::Status start(std::optional<std::string_view> committed) override {
    run_ = random_run();
    if (absl::Status done = producer_.open(); !done.ok()) return done;
    if (absl::Status done = take_over(); !done.ok()) return done;
    if (!committed) return absl::OkStatus();
    absl::StatusOr<transaction_token> token = parse(*committed);
    if (!token.ok()) return token.status();
    recovered_ = token->name;
    if (token->rows.empty()) return absl::OkStatus();
    absl::StatusOr<transaction_name> last = read_mark();
    if (!last.ok()) return last.status();
    const bool is_committed = last->run == token->name.run && last->number >= token->name.number;
    return is_committed ? absl::OkStatus() : publish(token->rows, token->name);
  }

  absl::Status add(const message& made, std::size_t row) override {
    if (absl::Status fits = refuse_large(producer_, made, row); !fits.ok()) return fits;
    byte_writer writer(rows_);
    encode(writer, made);
    if (rows_.size() <= producer_.settings.rows_bytes_max) return absl::OkStatus();
    return absl::ResourceExhaustedError(
        fmt::format("{}: the rows of one checkpoint are more than rows_bytes_max, {} bytes; take "
                    "checkpoints more often, or give more",
                    producer_.events.place(), producer_.settings.rows_bytes_max));
  }

  absl::StatusOr<std::string> prepare() override {
    return to_bytes(transaction_token{{run_, ++number_}, rows_});
  }

  absl::Status commit(std::string_view token) override {
    absl::StatusOr<transaction_token> wanted = parse(token);
    if (!wanted.ok()) return wanted.status();
    if (wanted->name == recovered_) return absl::OkStatus();
    if (wanted->name.run != run_) {
      return absl::FailedPreconditionError(producer_.events.place() +
                                           ": the token to commit is another run's; start with it");
    }
    if (wanted->name.number <= published_) return absl::OkStatus();
    if (absl::Status done = publish(wanted->rows, wanted->name); !done.ok()) return done;
    published_ = wanted->name.number;
    rows_.erase(0, wanted->rows.size());
    return absl::OkStatus();
  }

 private:
  absl::StatusOr<transaction_token> parse(std::string_view token) const {
    absl::StatusOr<transaction_token> read = from_bytes<transaction_token>(token);
    if (read.ok()) return read;
    return absl::DataLossError(fmt::format(
        "{}: the checkpoint's rows are damaged ({}); go back to a copy of it",
        producer_.events.place(),
        std::string_view(read.status().message().data(), read.status().message().size())));
  }

  /// Ends what another process with this transactional id has open, and that process with it.
  absl::Status take_over() {
    const auto began = std::chrono::steady_clock::now();
    while (true) {
      const verdict heard =
          producer_.judge(rd_kafka_init_transactions(producer_.client.get(), call_milliseconds),
                          "its transactional_id cannot be taken over");
      if (absl::Status usable = producer_.check(); !usable.ok()) return usable;
      if (heard == verdict::done) return absl::OkStatus();
      if (std::chrono::steady_clock::now() - began >= producer_.settings.connect_within) {
        return absl::UnavailableError(fmt::format(
            "{}: its transactional_id cannot be taken over within {} ({}); see to the brokers",
            producer_.events.place(), to_text(producer_.settings.connect_within),
            producer_.events.health().now().last_failure));
      }
    }
  }

  /// The mark of the last transaction that was committed; an empty one when there is none.
  absl::StatusOr<transaction_name> read_mark() {
    client_events events(producer_.events.place(), producer_.settings.health);
    auto conf = make_conf(producer_.settings.brokers, producer_.settings.config, events);
    if (!conf.ok()) return conf.status();
    // Read committed: the brokers then answer only when no transaction is in doubt.
    const std::pair<const char*, std::string> own[] = {
        {"group.id", producer_.settings.transactional_id},
        {"enable.auto.commit", "false"},
        {"isolation.level", "read_committed"}};
    for (const auto& [property, value] : own) {
      if (absl::Status done = set(conf->get(), events, property, value); !done.ok()) return done;
    }
    auto reader = make_client(RD_KAFKA_CONSUMER, *std::move(conf), events);
    if (!reader.ok()) return reader.status();
    const partition_list list(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_t* mark =
        rd_kafka_topic_partition_list_add(list.get(), producer_.name.c_str(), 0);
    const auto began = std::chrono::steady_clock::now();
    while (true) {
      rd_kafka_resp_err_t error = rd_kafka_committed(reader->get(), list.get(), call_milliseconds);
      if (error == RD_KAFKA_RESP_ERR_NO_ERROR) error = mark->err;
      if (error == RD_KAFKA_RESP_ERR_NO_ERROR) break;
      (void)rd_kafka_poll(reader->get(), 0);
      if (events.has_failed()) return events.failure();
      if (absl::Status usable = producer_.check(); !usable.ok()) return usable;
      if (!is_passing(error) ||
          std::chrono::steady_clock::now() - began >= producer_.settings.connect_within) {
        return status_of(events.place(), "the mark of its last transaction cannot be read", error);
      }
      producer_.wait(std::chrono::milliseconds(20));
    }
    transaction_name last;
    if (mark->offset < 0) return last;
    last.number = static_cast<std::uint64_t>(mark->offset);
    last.run.assign(static_cast<const char*>(mark->metadata), mark->metadata_size);
    return last;
  }

  /// Produces `rows` in one transaction with its mark. Tries again for as long as it can help.
  absl::Status publish(std::string_view rows, const transaction_name& name) {
    if (rows.empty()) return absl::OkStatus();
    for (std::uint32_t attempt = 2;; ++attempt) {
      const absl::StatusOr<verdict> tried = try_to_publish(rows, name);
      if (!tried.ok()) return tried.status();
      if (*tried == verdict::done) return absl::OkStatus();
      if (absl::Status done = abort(); !done.ok()) return done;
      producer_.wait(delay_before(producer_.settings.retry, attempt, name.number));
    }
  }

  absl::StatusOr<verdict> try_to_publish(std::string_view rows, const transaction_name& name) {
    rd_kafka_t* const client = producer_.client.get();
    const auto heard_of_begin =
        producer_.judge(rd_kafka_begin_transaction(client), "a transaction cannot begin");
    if (absl::Status usable = producer_.check(); !usable.ok()) return usable;
    if (heard_of_begin != verdict::done) return verdict::start_over;
    byte_reader reader(rows);
    message each;
    while (reader.remaining() > 0) {
      if (!decode(reader, each)) {
        return absl::DataLossError(
            fmt::format("{}: the checkpoint's rows are damaged ({}); go back "
                        "to a copy of it",
                        producer_.events.place(), reader.reason()));
      }
      if (absl::Status done = producer_.produce(each); !done.ok()) {
        if (absl::Status usable = producer_.check(); !usable.ok()) return usable;
        return verdict::start_over;
      }
    }
    if (absl::Status done = producer_.flush(); !done.ok()) return done;
    absl::StatusOr<verdict> marked = repeat([&] { return send_mark(name); });
    if (!marked.ok() || *marked != verdict::done) return marked;
    return repeat([&] {
      return producer_.judge(rd_kafka_commit_transaction(client, call_milliseconds),
                             "a transaction cannot be committed");
    });
  }

  verdict send_mark(const transaction_name& name) {
    using metadata_handle = std::unique_ptr<rd_kafka_consumer_group_metadata_t,
                                            destroyer<rd_kafka_consumer_group_metadata_destroy>>;
    const metadata_handle group(
        rd_kafka_consumer_group_metadata_new(producer_.settings.transactional_id.c_str()));
    const partition_list list(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_t* mark =
        rd_kafka_topic_partition_list_add(list.get(), producer_.name.c_str(), 0);
    mark->offset = static_cast<std::int64_t>(name.number);
    mark->metadata = ::strdup(name.run.c_str());  // The list frees it.
    mark->metadata_size = name.run.size();
    return producer_.judge(rd_kafka_send_offsets_to_transaction(producer_.client.get(), list.get(),
                                                                group.get(), call_milliseconds),
                           "a transaction cannot be marked");
  }

  absl::Status abort() {
    return repeat([&] {
             return producer_.judge(
                 rd_kafka_abort_transaction(producer_.client.get(), call_milliseconds),
                 "a transaction cannot be aborted");
           })
        .status();
  }

  /// Calls again while that may help: brokers that are away are waited for.
  template <class Call>
  absl::StatusOr<verdict> repeat(Call call) {
    while (true) {
      const verdict heard = call();
      if (absl::Status usable = producer_.check(); !usable.ok()) return usable;
      if (heard != verdict::call_again) return heard;
      producer_.wait(std::chrono::milliseconds(20));
    }
  }

  producer producer_;
  std::string run_;
  transaction_name recovered_;   ///< Of the token that this run began with.
  std::uint64_t number_ = 0;     ///< Of the newest token.
  std::uint64_t published_ = 0;  ///< Of the newest that was committed.
  std::string rows_;             ///< All that wait, from the last commit on.
};

}  // namespace

std::unique_ptr<writer_client> open_writer(const std::string& topic, const write_options& options) {
  if (options.guarantee == delivery::at_least_once) {
    return std::make_unique<at_once_writer>(topic, options);
  }
  return std::make_unique<transactional_writer>(topic, options);
}

}  // namespace freshet::kafka::detail
