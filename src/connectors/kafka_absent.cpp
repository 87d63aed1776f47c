// What kafka.hpp finds in a build without librdkafka.
#include <freshet/connectors/detail/kafka_client.hpp>

namespace freshet::kafka {

namespace {

absl::Status absent() {
  return absl::UnimplementedError(
      "kafka: this build of freshet has no Kafka; install librdkafka-dev, and build it with "
      "FRESHET_KAFKA=ON");
}

class absent_writer final : public detail::writer_client {
 public:
  sink_guarantee guarantee() const override { return sink_guarantee::at_least_once; }
  absl::Status start(std::optional<std::string_view>) override { return absent(); }
  absl::Status add(const message&, std::size_t) override { return absent(); }
  void interrupt() override {}
  absl::StatusOr<std::string> prepare() override { return absent(); }
  absl::Status commit(std::string_view) override { return absent(); }
};

}  // namespace

std::vector<header> message_view::headers() const {
  return {};
}

absl::StatusOr<message> to_message::operator()(const message_view&) const {
  return absent();
}

namespace detail {

absl::StatusOr<std::unique_ptr<topic_client>> open_topic(const std::string&, const read_options&) {
  return absent();
}

absl::Status decoder_failed(const partition_client&, const message_view&) {
  return absent();
}

std::unique_ptr<writer_client> open_writer(const std::string&, const write_options&) {
  return std::make_unique<absent_writer>();
}

}  // namespace detail

}  // namespace freshet::kafka
