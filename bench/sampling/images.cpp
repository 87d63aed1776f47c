// Fashion-MNIST from Debian's package, made imbalanced.
#include "dataset.hpp"

#include <fmt/core.h>
#include <boost/iostreams/device/file.hpp>
#include <boost/iostreams/filter/gzip.hpp>
#include <boost/iostreams/filtering_stream.hpp>

#include <unistd.h>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <istream>
#include <stdexcept>

namespace sampling_benchmark {
namespace {

constexpr std::size_t pixels = 28 * 28;
constexpr std::size_t classes = 10;
constexpr std::size_t validation_per_class = 100;
constexpr std::size_t stream_per_class = 5'900;  // The others of the 6,000.

std::string read_gzip(const std::string& path, std::size_t bytes_max) {
  namespace io = boost::iostreams;
  io::file_source file(path, std::ios::binary);
  if (!file.is_open()) throw std::runtime_error(fmt::format("'{}': cannot open", path));
  io::filtering_istream in;
  in.push(io::gzip_decompressor());
  in.push(file);
  std::string bytes(bytes_max + 1, '\0');
  try {
    in.exceptions(std::ios::badbit);
    in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  } catch (const std::exception& failure) {
    throw std::runtime_error(fmt::format("'{}': cannot decompress ({})", path, failure.what()));
  }
  bytes.resize(static_cast<std::size_t>(in.gcount()));
  return bytes;
}

std::size_t big_endian(const std::string& bytes, std::size_t at) {
  std::size_t number = 0;
  for (std::size_t i = 0; i < 4; ++i)
    number = number << 8 | static_cast<unsigned char>(bytes[at + i]);
  return number;
}

/// The elements of an idx file of bytes: `count` of `size` bytes each, behind this magic number.
std::string read_idx(const std::string& path, std::size_t magic, std::size_t count,
                     std::size_t size) {
  const std::size_t head = magic == 0x803 ? 16 : 8;
  std::string bytes = read_gzip(path, head + count * size);
  if (bytes.size() != head + count * size || big_endian(bytes, 0) != magic ||
      big_endian(bytes, 4) != count) {
    throw std::runtime_error(
        fmt::format("'{}': it is no idx file of {} elements of {} bytes", path, count, size));
  }
  return bytes.substr(head);
}

/// How many images of a class are in the stream: 5,900 of the first, a hundredth of the last.
std::size_t images_of(std::size_t label) {
  const double share = std::pow(100.0, -static_cast<double>(label) / (classes - 1));
  return static_cast<std::size_t>(std::lround(static_cast<double>(stream_per_class) * share));
}

void append(labelled_rows& to, const std::string& images, std::size_t image, std::uint8_t label) {
  for (std::size_t i = 0; i < pixels; ++i) {
    const auto level = static_cast<unsigned char>(images[image * pixels + i]);
    to.numbers.push_back(static_cast<float>(level) / 255.0F);
  }
  to.labels.push_back(label);
}

std::uint8_t label_at(const std::string& labels, std::size_t image) {
  const auto label = static_cast<std::uint8_t>(labels[image]);
  if (label >= classes) {
    throw std::runtime_error(fmt::format("Fashion-MNIST: label {} is not below 10", label));
  }
  return label;
}

}  // namespace

std::string find_images() {
  const std::string folder = "/usr/share/datasets/fashion-mnist";
  if (std::filesystem::exists(folder)) return folder;
  if (geteuid() != 0) {
    fmt::print(
        stderr,
        "Fashion-MNIST: skipped, {} is absent; install dataset-fashion-mnist, or run this as "
        "root\n",
        folder);
    return {};
  }
  fmt::print(stderr, "Fashion-MNIST: installing dataset-fashion-mnist\n");
  const int status = std::system(
      "DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends --no-remove "
      "dataset-fashion-mnist >&2");
  if (status == 0 && std::filesystem::exists(folder)) return folder;
  fmt::print(stderr,
             "Fashion-MNIST: skipped, dataset-fashion-mnist could not be installed; see the "
             "messages above\n");
  return {};
}

dataset read_images(const std::string& folder) {
  dataset data;
  data.name = "fashion-mnist";
  data.features = pixels;
  data.classes = classes;
  data.half_life = std::chrono::seconds{1000};  // An image comes every second.
  std::string images = read_idx(folder + "/train-images-idx3-ubyte.gz", 0x803, 60'000, pixels);
  std::string labels = read_idx(folder + "/train-labels-idx1-ubyte.gz", 0x801, 60'000, 1);
  std::array<std::size_t, classes> seen{};
  for (std::size_t image = 0; image < labels.size(); ++image) {
    const std::uint8_t label = label_at(labels, image);
    if (seen[label]++ < validation_per_class) {
      append(data.validation, images, image, label);
      continue;
    }
    // Evenly among the images of its class.
    const std::size_t place = seen[label] - validation_per_class;
    const std::size_t wanted = images_of(label);
    if (place * wanted / stream_per_class == (place - 1) * wanted / stream_per_class) continue;
    data.times.push_back(fr::timestamp{std::chrono::seconds(data.times.size())});
    append(data.train, images, image, label);
  }
  images = read_idx(folder + "/t10k-images-idx3-ubyte.gz", 0x803, 10'000, pixels);
  labels = read_idx(folder + "/t10k-labels-idx1-ubyte.gz", 0x801, 10'000, 1);
  for (std::size_t image = 0; image < labels.size(); ++image) {
    append(data.test, images, image, label_at(labels, image));
  }
  data.curve_rows = 2'500;
  data.about = fmt::format(
      "Fashion-MNIST, {} images of 10 classes, class c with 5900 * 100^(-c/9) of them; validation "
      "{} and test {} with as many of each class",
      data.train.size(), data.validation.size(), data.test.size());
  return data;
}

}  // namespace sampling_benchmark
