// More images of the classes that are rare: each of theirs comes with crops of itself, some of them
// mirrored. The images are Fashion-MNIST, made imbalanced by leaving most of the bags out.
//
// Run: augment_images /usr/share/datasets/fashion-mnist     (Debian: dataset-fashion-mnist)
#include <freshet/connectors/callback.hpp>
#include <freshet/connectors/values.hpp>
#include <freshet/freshet.hpp>
#include <freshet/pipeline/augment.hpp>

#include <fmt/core.h>
#include <boost/iostreams/device/file.hpp>
#include <boost/iostreams/filter/gzip.hpp>
#include <boost/iostreams/filtering_stream.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace fr = freshet;

constexpr std::size_t side = 28;
constexpr int bag = 8;

struct image {
  int label = 0;
  std::string pixels;  ///< side * side bytes, row by row; 0 is the background.
};
BOOST_DESCRIBE_STRUCT(image, (), (label, pixels))

/// The elements of an idx file of bytes, behind its `head` bytes.
std::string read_idx(const std::string& path, std::size_t head) {
  boost::iostreams::file_source file(path, std::ios::binary);
  if (!file.is_open()) throw std::runtime_error(path + ": No such file or directory");
  boost::iostreams::filtering_istream in;
  in.push(boost::iostreams::gzip_decompressor());
  in.push(file);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  if (bytes.size() < head) throw std::runtime_error(path + ": it is no idx file");
  return bytes.substr(head);
}

std::vector<image> read_images(const std::string& folder) {
  const std::string pixels = read_idx(folder + "/t10k-images-idx3-ubyte.gz", 16);
  const std::string labels = read_idx(folder + "/t10k-labels-idx1-ubyte.gz", 8);
  std::vector<image> images;
  for (std::size_t i = 0; i < labels.size() && (i + 1) * side * side <= pixels.size(); ++i) {
    if (labels[i] == bag && i % 25 != 0) continue;
    images.push_back({labels[i], pixels.substr(i * side * side, side * side)});
  }
  return images;
}

/// A part of 24 x 24 pixels, drawn as large as the whole was; every other one mirrored. It takes
/// what is random from `random` alone, so that each run makes the same images.
image crop(const image& from, std::uint64_t random) {
  constexpr std::size_t part = 24;
  const std::size_t left = random % (side - part + 1);
  const std::size_t top = random / 8 % (side - part + 1);
  const bool mirrored = random / 64 % 2 == 1;
  image to{from.label, std::string(side * side, '\0')};
  for (std::size_t y = 0; y < side; ++y) {
    for (std::size_t x = 0; x < side; ++x) {
      const std::size_t column = mirrored ? side - 1 - x : x;
      to.pixels[y * side + x] =
          from.pixels[(top + y * part / side) * side + left + column * part / side];
    }
  }
  return to;
}

/// Several images side by side, a character for a pixel, every other line.
void draw(const std::vector<image>& images) {
  for (std::size_t y = 0; y < side; y += 2) {
    std::string line;
    for (const image& each : images) {
      for (std::size_t x = 0; x < side; ++x) {
        line += " .:-=+*#%@"[static_cast<unsigned char>(each.pixels[y * side + x]) * 10 / 256];
      }
    }
    fmt::print("{}\n", line.substr(0, line.find_last_not_of(' ') + 1));
  }
}

int main(int argc, char** argv) try {
  if (argc != 2) throw std::runtime_error("usage: augment_images FOLDER");
  std::map<int, int> before, after;
  std::vector<image> bags;

  fr::pipeline p("augment_images");
  const auto images = p.from("images", fr::values(read_images(argv[1])));
  const auto rare = [](const image& each) { return each.label == bag; };
  const auto more = images | fr::filter(rare) | fr::augment(9, crop);
  const auto others = images | fr::filter([=](const image& each) { return !rare(each); });

  images | fr::to("before", fr::callback([&](const image& each) { ++before[each.label]; }));
  more | fr::to("bags", fr::callback([&](const image& each) { bags.push_back(each); }));
  fr::merge(more, others) |
      fr::to("after", fr::callback([&](const image& each) { ++after[each.label]; }));

  if (const absl::Status done = p.run(); !done.ok()) {
    throw std::runtime_error(std::string(done.message()));
  }
  for (const auto& [label, count] : after) {
    fmt::print("class {}: {:5} images, {:5} for training\n", label, before[label], count);
  }
  draw({bags.begin(), bags.begin() + 4});
} catch (const std::exception& failure) {
  fmt::print(stderr, "augment_images: {}\n", failure.what());
  return 1;
}
