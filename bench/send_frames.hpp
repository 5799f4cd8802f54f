// Frames of sends, ready to be written: a ring of equal ones in which only the number of the request, topic,
// queue and unique key are changed before they go out again. So the load generator copies no bodies.
#pragma once

#include "bench/load_options.hpp"

#include <span>
#include <string>
#include <vector>

namespace holdfast::bench {

inline constexpr const char* producer_group = "please_rename_unique_group_name";

// "load00042": always five digits, so that names can be replaced in place.
[[nodiscard]] std::string topic_name(const load_options& options, std::uint32_t topic);

class send_frames {
  public:
    explicit send_frames(const load_options& options);

    // Up to `count` frames in one piece, numbered from `first_opaque`; `sequence` of the first chooses topic,
    // queue and key. Good until the next call.
    struct piece {
        std::span<const char> bytes;
        std::uint32_t count = 0;
    };
    [[nodiscard]] piece next(std::uint32_t count, std::uint32_t first_opaque, std::uint64_t sequence);

    [[nodiscard]] std::size_t frame_bytes() const { return frame_bytes_; }

    // Ten digits each, so that a JSON header keeps its length.
    static constexpr std::uint32_t smallest_opaque = 1'000'000'000;

  private:
    void patch(char* frame, std::uint32_t opaque, std::uint64_t sequence) const;

    const load_options options_;
    std::string ring_;
    std::size_t frame_bytes_ = 0;
    std::uint32_t ring_frames_ = 0;
    std::uint32_t at_ = 0; // in the ring
    std::size_t opaque_at_ = 0;
    std::size_t topic_at_ = 0; // its digits
    std::size_t queue_at_ = 0;
    std::size_t key_at_ = 0;
    std::size_t due_at_ = 0;
    std::uint64_t now_ms_ = 0;
};

} // namespace holdfast::bench
