// Reading topics with librdkafka's simple consumer: one client for a source, one queue for each
// partition, since the engine asks each split for itself and keeps the positions.
#include "kafka_handle.hpp"

#include <freshet/connectors/detail/kafka_client.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <thread>
#include <utility>

namespace freshet::kafka {

namespace {

std::optional<std::string_view> view_of(const void* bytes, std::size_t size) {
  if (bytes == nullptr) return std::nullopt;
  return std::string_view(static_cast<const char*>(bytes), size);
}

/// A message may hold any 64 bits.
timestamp time_of(std::int64_t milliseconds) {
  return timestamp(saturating_duration(std::chrono::milliseconds(milliseconds)));
}

}  // namespace

std::vector<header> message_view::headers() const {
  rd_kafka_headers_t* found = nullptr;
  if (native == nullptr || rd_kafka_message_headers(static_cast<const rd_kafka_message_t*>(native),
                                                    &found) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return {};
  }
  std::vector<header> all;
  const char* name = nullptr;
  const void* bytes = nullptr;
  std::size_t size = 0;
  while (rd_kafka_header_get_all(found, all.size(), &name, &bytes, &size) ==
         RD_KAFKA_RESP_ERR_NO_ERROR) {
    all.push_back({name, std::nullopt});
    if (const auto held = view_of(bytes, size)) all.back().value.emplace(*held);
  }
  return all;
}

absl::StatusOr<message> to_message::operator()(const message_view& view) const {
  message made;
  if (view.key) made.key.emplace(*view.key);
  if (view.value) made.value.emplace(*view.value);
  made.headers = view.headers();
  made.at = view.at;
  made.partition = view.partition;
  made.offset = view.offset;
  return made;
}

namespace detail {

absl::Status decoder_failed(const partition_client& at, const message_view& message) {
  std::string what = "an exception that is no std::exception";
  try {
    throw;
  } catch (const std::exception& thrown) {
    what = thrown.what();
  } catch (...) {
  }
  return absl::InvalidArgumentError(
      fmt::format("{}, offset {}: the decoder has thrown ({}); let it return an error, which makes "
                  "a dead letter",
                  at.place(), message.offset, what));
}

namespace {

/// Where a partition stands: the next offset, and, of a source with an end, the first offset behind
/// it. As text: "17", or "17 20".
struct partition_position {
  std::int64_t next = 0;
  std::optional<std::int64_t> end;

  std::string text() const { return end ? fmt::format("{} {}", next, *end) : std::to_string(next); }
  static std::optional<partition_position> parse(std::string_view text) {
    partition_position at;
    if (!take_number(text, at.next)) return std::nullopt;
    if (text.empty()) return at;
    if (text.front() != ' ') return std::nullopt;
    text.remove_prefix(1);
    if (!take_number(text, at.end.emplace()) || !text.empty()) return std::nullopt;
    return at;
  }

 private:
  static bool take_number(std::string_view& text, std::int64_t& number) {
    const char* const last = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), last, number);
    text.remove_prefix(static_cast<std::size_t>(rest - text.data()));
    return error == std::errc() && number >= 0;
  }
};

/// The client of a source, shared by its partitions.
class consumer {
 public:
  consumer(std::string topic, const read_options& options)
      : name(std::move(topic)),
        settings(options),
        events(fmt::format("kafka::read '{}'", name), options.health) {}

  ~consumer() {
    stops_ = true;
    if (main_queue_) rd_kafka_queue_yield(main_queue_.get());
    if (background_.joinable()) background_.join();
    main_queue_.reset();
    native_topic.reset();
    client.reset();
  }
  consumer(const consumer&) = delete;
  consumer& operator=(const consumer&) = delete;

  absl::Status open() {
    auto conf = make_conf(settings.brokers, settings.config, events);
    if (!conf.ok()) return conf.status();
    rd_kafka_conf_set_offset_commit_cb(conf->get(), &consumer::on_offsets_committed);
    const std::pair<const char*, std::string> own[] = {
        {"enable.auto.commit", "false"},
        {"auto.offset.reset", "error"},
        {"enable.partition.eof", "true"},
        {"isolation.level", settings.read_committed ? "read_committed" : "read_uncommitted"},
        {"queued.max.messages.kbytes", std::to_string(settings.buffer_bytes >> 10)},
        {"group.id", settings.group}};
    for (const auto& [property, value] : own) {
      if (value.empty()) continue;
      if (absl::Status done = set(conf->get(), events, property, value); !done.ok()) return done;
    }
    auto made = make_client(RD_KAFKA_CONSUMER, *std::move(conf), events);
    if (!made.ok()) return made.status();
    client = *std::move(made);
    native_topic.reset(rd_kafka_topic_new(client.get(), name.c_str(), nullptr));
    if (!native_topic)
      return status_of(events.place(), "the topic cannot be read", rd_kafka_last_error());
    auto count = count_partitions(client.get(), native_topic.get(), settings.brokers,
                                  settings.connect_within, events, [] { return false; });
    if (!count.ok()) return count.status();
    return choose_partitions(*count);
  }

  void start_background() {
    main_queue_.reset(rd_kafka_queue_get_main(client.get()));
    events.when_failed([this] { wake_all(); });
    background_ = std::thread([this] { look_after(); });
  }

  void commit_offset(std::int32_t partition, std::int64_t next) {
    if (settings.group.empty()) return;
    const partition_list list(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_list_add(list.get(), name.c_str(), partition)->offset = next;
    (void)rd_kafka_commit(client.get(), list.get(), 1);
  }

  /// Whoever idles hears of a failure.
  void add_waker(const void* of, std::function<void()> wake) {
    const std::lock_guard lock(mutex_);
    wakers_.emplace_back(of, std::move(wake));
  }
  void remove_waker(const void* of) {
    const std::lock_guard lock(mutex_);
    std::erase_if(wakers_, [of](const auto& each) { return each.first == of; });
  }

  const std::string name;
  const read_options settings;
  client_events events;
  std::vector<std::int32_t> partitions;
  client_handle client;
  topic_handle native_topic;
  std::atomic<bool> resumed = false;  ///< A split was opened at a position.

 private:
  absl::Status choose_partitions(std::int32_t count) {
    count_ = count;
    partitions = settings.partitions;
    if (partitions.empty()) {
      for (std::int32_t partition = 0; partition < count; ++partition) {
        partitions.push_back(partition);
      }
    } else if (partitions.back() >= count) {
      return absl::NotFoundError(
          fmt::format("{}: partition {} was asked for, the topic has {}; correct .partitions",
                      events.place(), partitions.back(), count));
    }
    return absl::OkStatus();
  }

  /// The client's callbacks come from here, and here is asked what blocks.
  void look_after() {
    using clock = std::chrono::steady_clock;
    const bool discovers = settings.discover_every > duration::zero() &&
                           settings.partitions.empty() && !settings.until_end;
    auto next = clock::now() + settings.discover_every;
    while (!stops_) {
      (void)rd_kafka_poll(client.get(), call_milliseconds);
      if (!discovers || clock::now() < next) continue;
      discover();
      next = clock::now() + settings.discover_every;
    }
  }

  void discover() {
    const rd_kafka_metadata_t* metadata = nullptr;
    if (rd_kafka_metadata(client.get(), 0, native_topic.get(), &metadata, call_milliseconds) !=
        RD_KAFKA_RESP_ERR_NO_ERROR) {
      return;  // The next time.
    }
    const std::int32_t count = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
    rd_kafka_metadata_destroy(metadata);
    if (count <= count_) return;
    events.fail(absl::AbortedError(
        fmt::format("{}: the topic has {} partitions now, {} when the job started; start it again: "
                    "it goes on where it was, and reads the new ones from their beginning",
                    events.place(), count, count_)));
  }

  void wake_all() {
    const std::lock_guard lock(mutex_);
    for (const auto& each : wakers_) each.second();
  }

  static void on_offsets_committed(rd_kafka_t*, rd_kafka_resp_err_t error,
                                   rd_kafka_topic_partition_list_t*, void* opaque) {
    // For monitoring alone: the checkpoint decides where the job goes on.
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR || error == RD_KAFKA_RESP_ERR__NO_OFFSET) return;
    const client_events& told = *static_cast<client_events*>(opaque);
    told.health().failed(
        fmt::format("offsets were not committed to the group ({})", rd_kafka_err2str(error)));
  }

  std::int32_t count_ = 0;
  std::atomic<bool> stops_ = false;
  queue_handle main_queue_;
  std::thread background_;
  std::mutex mutex_;
  std::vector<std::pair<const void*, std::function<void()>>> wakers_;
};

class partition final : public partition_client {
 public:
  partition(std::shared_ptr<consumer> from, std::int32_t number, partition_position at)
      : consumer_(std::move(from)), number_(number), at_(at) {}

  ~partition() override {
    consumer_->remove_waker(this);
    if (!queue_) return;
    rd_kafka_queue_cb_event_enable(queue_.get(), nullptr, nullptr);
    release();
    (void)rd_kafka_consume_stop(consumer_->native_topic.get(), number_);
  }
  partition(const partition&) = delete;
  partition& operator=(const partition&) = delete;

  absl::Status start() {
    queue_.reset(rd_kafka_queue_new(consumer_->client.get()));
    if (rd_kafka_consume_start_queue(consumer_->native_topic.get(), number_, at_.next,
                                     queue_.get()) != 0) {
      const rd_kafka_resp_err_t error = rd_kafka_last_error();
      queue_.reset();
      return status_of(place(), "it cannot be read", error);
    }
    return absl::OkStatus();
  }

  std::string place() const override {
    return fmt::format("{}, partition {}", consumer_->events.place(), number_);
  }

  absl::StatusOr<read_state> take(std::size_t limit, std::vector<message_view>& taken) override {
    taken.clear();
    release();
    if (consumer_->events.has_failed()) return consumer_->events.failure();
    if (at_end()) return read_state::end;
    messages_.resize(std::min<std::size_t>(limit, 1024));
    const ssize_t count =
        rd_kafka_consume_batch_queue(queue_.get(), 0, messages_.data(), messages_.size());
    messages_.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    for (const rd_kafka_message_t* each : messages_) {
      if (absl::Status seen = look_at(*each, taken); !seen.ok()) return seen;
    }
    if (at_end()) return read_state::end;
    return messages_.empty() ? read_state::idle : read_state::more;
  }

  std::string position() const override { return at_.text(); }

  void wake_with(std::function<void()> wake) override {
    consumer_->add_waker(this, wake);
    wake_ = std::move(wake);
    rd_kafka_queue_cb_event_enable(
        queue_.get(), [](rd_kafka_t*, void* self) { static_cast<const partition*>(self)->wake_(); },
        this);
    wake_();  // What came before.
  }

  void committed(std::string_view position) override {
    if (const auto at = partition_position::parse(position)) {
      consumer_->commit_offset(number_, at->next);
    }
  }

  std::uint64_t bytes_read() const override { return bytes_; }

 private:
  bool at_end() const { return at_.end && at_.next >= *at_.end; }

  absl::Status look_at(const rd_kafka_message_t& message, std::vector<message_view>& taken) {
    if (message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      // Behind the marks of transactions, which are no messages.
      at_.next = std::max(at_.next, message.offset);
      return absl::OkStatus();
    }
    if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) return look_at_error(message);
    consumer_->events.health().answered();
    if (message.offset < at_.next || at_end()) return absl::OkStatus();
    if (at_.end && message.offset >= *at_.end) {
      at_.next = *at_.end;
      return absl::OkStatus();
    }
    message_view& view = taken.emplace_back();
    view.key = view_of(message.key, message.key_len);
    view.value = view_of(message.payload, message.len);
    view.partition = number_;
    view.offset = message.offset;
    view.native = &message;
    rd_kafka_timestamp_type_t kind = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    const std::int64_t milliseconds = rd_kafka_message_timestamp(&message, &kind);
    if (kind != RD_KAFKA_TIMESTAMP_NOT_AVAILABLE) view.at = time_of(milliseconds);
    at_.next = message.offset + 1;
    bytes_ += message.len + message.key_len;
    return absl::OkStatus();
  }

  absl::Status look_at_error(const rd_kafka_message_t& message) {
    const char* const words = rd_kafka_message_errstr(&message);
    if (is_passing(message.err)) {
      consumer_->events.health().failed(words);
      return absl::OkStatus();
    }
    if (message.err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
        message.err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE) {
      return absl::DataLossError(
          fmt::format("{}: the messages from offset {} on are gone ({}); start the job again, with "
                      ".on_lost = lost_messages::read_the_rest if it shall go on without them",
                      place(), at_.next, words));
    }
    return status_of(place(), "it cannot be read on", message.err, words);
  }

  void release() {
    for (rd_kafka_message_t* each : messages_) rd_kafka_message_destroy(each);
    messages_.clear();
  }

  std::shared_ptr<consumer> consumer_;
  const std::int32_t number_;
  partition_position at_;
  queue_handle queue_;
  std::vector<rd_kafka_message_t*> messages_;
  std::function<void()> wake_;
  std::uint64_t bytes_ = 0;
};

class librdkafka_topic final : public topic_client {
 public:
  explicit librdkafka_topic(std::shared_ptr<consumer> from) : consumer_(std::move(from)) {}

  std::vector<std::string> splits() const override {
    std::vector<std::string> names;
    for (const std::int32_t each : consumer_->partitions) {
      names.push_back(fmt::format("{}/{}", consumer_->name, each));
    }
    return names;
  }
  bool bounded() const override { return consumer_->settings.until_end; }
  bool may_gain_splits() const override { return consumer_->settings.partitions.empty(); }

  void committed(std::size_t split, std::string_view position) override {
    if (const auto at = partition_position::parse(position)) {
      consumer_->commit_offset(consumer_->partitions[split], at->next);
    }
  }

  absl::StatusOr<std::unique_ptr<partition_client>> open(
      std::size_t split, std::optional<std::string_view> position) override {
    const std::int32_t number = consumer_->partitions[split];
    std::optional<partition_position> known;
    if (position) {
      known = partition_position::parse(*position);
      if (!known) {
        return absl::DataLossError(
            fmt::format("{}, partition {}: the checkpoint's position '{}' is no offset; go back to "
                        "a copy of it",
                        consumer_->events.place(), number, *position));
      }
      consumer_->resumed = true;
    }
    absl::StatusOr<partition_position> from = where_to_begin(number, known);
    if (!from.ok()) return from.status();
    auto made = std::make_unique<partition>(consumer_, number, *from);
    if (absl::Status done = made->start(); !done.ok()) return done;
    return made;
  }

 private:
  absl::StatusOr<partition_position> where_to_begin(std::int32_t number,
                                                    std::optional<partition_position> known) {
    std::int64_t low = 0;
    std::int64_t high = 0;
    if (absl::Status asked = ask_bounds(number, low, high); !asked.ok()) return asked;
    partition_position at;
    if (known) {
      at = *known;
    } else if (consumer_->settings.start == start_at::latest && !consumer_->resumed) {
      at.next = high;
    } else {
      at.next = low;
    }
    if (consumer_->settings.until_end && !at.end) at.end = high;
    if (!consumer_->settings.until_end) at.end.reset();
    if (at.next >= low && at.next <= high) return at;
    const bool is_cut = at.next < low;
    const std::string found = fmt::format(
        "{}, partition {}: the checkpoint is at offset {}, the messages left are those from {} to "
        "{}",
        consumer_->events.place(), number, at.next, low, high - 1);
    if (!is_cut || consumer_->settings.on_lost == lost_messages::fail_job) {
      return absl::DataLossError(fmt::format(
          "{}; {}", found,
          is_cut ? fmt::format("{} are lost: restore them, or give .on_lost = "
                               "lost_messages::read_the_rest to go on without them",
                               low - at.next)
                 : "is it another topic of the same name? Give a new checkpoint directory"));
    }
    consumer_->settings.health.failed(fmt::format("{}; {} are lost", found, low - at.next));
    at.next = low;
    return at;
  }

  absl::Status ask_bounds(std::int32_t number, std::int64_t& low, std::int64_t& high) {
    const auto began = std::chrono::steady_clock::now();
    while (true) {
      const rd_kafka_resp_err_t error = rd_kafka_query_watermark_offsets(
          consumer_->client.get(), consumer_->name.c_str(), number, &low, &high, call_milliseconds);
      if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return absl::OkStatus();
      if (consumer_->events.has_failed()) return consumer_->events.failure();
      if (!is_passing(error) ||
          std::chrono::steady_clock::now() - began >= consumer_->settings.connect_within) {
        return status_of(fmt::format("{}, partition {}", consumer_->events.place(), number),
                         "the brokers do not tell its first and last offset", error);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }

  std::shared_ptr<consumer> consumer_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<topic_client>> open_topic(const std::string& topic,
                                                         const read_options& options) {
  auto opened = std::make_shared<consumer>(topic, options);
  if (absl::Status done = opened->open(); !done.ok()) return done;
  opened->start_background();
  return std::make_unique<librdkafka_topic>(std::move(opened));
}

}  // namespace detail

}  // namespace freshet::kafka
