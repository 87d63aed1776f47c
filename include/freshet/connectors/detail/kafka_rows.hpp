// From messages to records and back: the typed part of kafka.hpp. Internal.
#pragma once

#include <freshet/connectors/detail/kafka_client.hpp>

#include <concepts>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace freshet::kafka::detail {

template <class S>
struct status_or_value {};
template <class T>
struct status_or_value<absl::StatusOr<T>> {
  using type = T;
};

template <class Decoder>
concept message_view_decoder = requires(Decoder decode, const message_view& view) {
  typename status_or_value<std::remove_cvref_t<decltype(decode(view))>>::type;
};

template <class Decoder>
concept value_decoder = requires(Decoder decode, std::string_view value) {
  typename status_or_value<std::remove_cvref_t<decltype(decode(value))>>::type;
};

template <class Decoder>
concept message_decoder =
    std::copy_constructible<Decoder> && (message_view_decoder<Decoder> || value_decoder<Decoder>);

template <class Decoder>
struct decoded_type {
  using type = int;  // Whoever is refused gets one sentence, not a page.
};
template <message_view_decoder Decoder>
struct decoded_type<Decoder> {
  using type = typename status_or_value<
      std::remove_cvref_t<std::invoke_result_t<Decoder&, const message_view&>>>::type;
};
template <class Decoder>
  requires(value_decoder<Decoder> && !message_view_decoder<Decoder>)
struct decoded_type<Decoder> {
  using type = typename status_or_value<
      std::remove_cvref_t<std::invoke_result_t<Decoder&, std::string_view>>>::type;
};

template <class Decoder>
using decoded = typename decoded_type<Decoder>::type;

template <class Encoder, class T>
concept message_encoder =
    std::copy_constructible<Encoder> && requires(Encoder encode, const T& row) {
      requires std::convertible_to<decltype(encode(row)), const message&> ||
                   std::convertible_to<decltype(encode(row)), std::string>;
    };

template <class Decoder>
class topic_reader final : public split_reader<decoded<Decoder>> {
 public:
  topic_reader(std::unique_ptr<partition_client> client, Decoder decode)
      : client_(std::move(client)), decode_(std::move(decode)) {}

  absl::StatusOr<read_state> read(std::size_t limit, batch<decoded<Decoder>>& rows,
                                  std::vector<dead_letter>& dead) override {
    absl::StatusOr<read_state> state = client_->take(limit, taken_);
    if (!state.ok()) return state;
    for (const message_view& view : taken_) {
      try {
        add(view, rows, dead);
      } catch (...) {
        return decoder_failed(*client_, view);
      }
    }
    return state;
  }

  std::string position() const override { return client_->position(); }
  void wake_with(std::function<void()> wake) override { client_->wake_with(std::move(wake)); }
  void committed(std::string_view position) override { client_->committed(position); }
  std::uint64_t bytes_read() const override { return client_->bytes_read(); }

 private:
  void add(const message_view& view, batch<decoded<Decoder>>& rows,
           std::vector<dead_letter>& dead) {
    const auto sequence = static_cast<std::uint64_t>(view.offset);
    absl::StatusOr<decoded<Decoder>> record = record_of(view);
    if (record.ok()) {
      rows.values.push_back(*std::move(record));
      rows.positions.push_back({sequence, 0, 0});
      return;
    }
    const std::string_view reason{record.status().message().data(),
                                  record.status().message().size()};
    dead.push_back({.source = {},
                    .split = {},
                    .sequence = sequence,
                    .line = 0,
                    .reason = std::string(reason),
                    .record = std::string(view.value.value_or(std::string_view()))});
  }

  absl::StatusOr<decoded<Decoder>> record_of(const message_view& view) {
    if constexpr (message_view_decoder<Decoder>) {
      return decode_(view);
    } else {
      if (view.value) return decode_(*view.value);
      return absl::InvalidArgumentError(
          "a tombstone (a message without a value) found, wanted a value; give a decoder that "
          "takes "
          "a kafka::message_view");
    }
  }

  std::unique_ptr<partition_client> client_;
  Decoder decode_;
  std::vector<message_view> taken_;
};

template <class Decoder>
class topic_source final : public source<decoded<Decoder>> {
 public:
  topic_source(std::unique_ptr<topic_client> client, Decoder decode)
      : client_(std::move(client)), decode_(std::move(decode)) {}

  std::vector<std::string> splits() const override { return client_->splits(); }
  bool bounded() const override { return client_->bounded(); }
  bool may_gain_splits() const override { return client_->may_gain_splits(); }
  void committed(std::size_t split, std::string_view position) override {
    client_->committed(split, position);
  }

  absl::StatusOr<std::unique_ptr<split_reader<decoded<Decoder>>>> open(
      std::size_t split, std::optional<std::string_view> position) override {
    auto opened = client_->open(split, position);
    if (!opened.ok()) return opened.status();
    return std::make_unique<topic_reader<Decoder>>(*std::move(opened), decode_);
  }

 private:
  std::unique_ptr<topic_client> client_;
  Decoder decode_;
};

template <class T, class Encoder>
class topic_sink final : public sink<T> {
 public:
  topic_sink(std::unique_ptr<writer_client> client, Encoder encode)
      : client_(std::move(client)), encode_(std::move(encode)) {}

  sink_guarantee guarantee() const override { return client_->guarantee(); }
  absl::Status start(std::optional<std::string_view> committed) override {
    return client_->start(committed);
  }
  absl::Status write(const batch<T>& rows) override {
    for (std::size_t row = 0; row < rows.size(); ++row) {
      if (absl::Status added = add(rows.values[row], row); !added.ok()) return added;
    }
    return absl::OkStatus();
  }
  void interrupt() override { client_->interrupt(); }
  absl::StatusOr<std::string> prepare() override { return client_->prepare(); }
  absl::Status commit(std::string_view token, bool) override { return client_->commit(token); }

 private:
  absl::Status add(const T& value, std::size_t row) {
    if constexpr (std::convertible_to<decltype(encode_(value)), const message&>) {
      const message& made = encoded(value, row);
      return client_->add(made, row);
    } else {
      made_.value = encoded(value, row);
      return client_->add(made_, row);
    }
  }

  /// Says which row it was when the encoder throws.
  decltype(auto) encoded(const T& value, std::size_t row) {
    try {
      return encode_(value);
    } catch (...) {
      throw row_failure(row);
    }
  }

  std::unique_ptr<writer_client> client_;
  Encoder encode_;
  message made_;
};

}  // namespace freshet::kafka::detail
