#include "client/receive_buffer.hpp"

#include <cstring>
#include <gtest/gtest.h>
#include <random>

namespace holdfast::client {
namespace {

// A stream of numbered frames of random sizes, read in random pieces: each arrives whole, and what was shared
// stays as it was while later frames are read into the buffer.
void run_stream(std::uint32_t seed) {
    std::mt19937 random{seed};
    std::string stream;
    std::vector<std::pair<std::size_t, std::size_t>> frames;
    while (stream.size() < (std::size_t{6} << 20U)) {
        const std::size_t size = random() % 3 == 0 ? 100'000 + random() % 1'500'000 : 1 + random() % 2'000;
        frames.emplace_back(stream.size(), size);
        for (std::size_t at = 0; at < size; ++at)
            stream.push_back(static_cast<char>(frames.size() * 31 + at / 7));
    }
    receive_buffer buffer;
    std::size_t delivered = 0;
    std::vector<std::pair<shared_bytes, std::size_t>> kept;
    std::size_t frame = 0;
    while (frame < frames.size()) {
        const auto [first, size] = frames[frame];
        const bool known = buffer.unread().size() >= 8 || buffer.unread().size() >= size;
        if (buffer.unread().size() >= size) {
            const byte_view body = buffer.unread().first(size);
            ASSERT_EQ(std::memcmp(body.data(), stream.data() + first, size), 0) << "frame " << frame;
            if (random() % 2 == 0)
                kept.emplace_back(buffer.share(body), frame);
            if (kept.size() > 4)
                kept.erase(kept.begin());
            buffer.consume(size);
            ++frame;
            continue;
        }
        const auto room = buffer.prepare(known ? size : 0);
        ASSERT_FALSE(room.empty());
        const std::size_t count =
            std::min({room.size(), stream.size() - delivered, std::size_t{1} + random() % 300'000});
        std::memcpy(room.data(), stream.data() + delivered, count);
        buffer.filled(count);
        delivered += count;
        for (const auto& [bytes, number] : kept)
            ASSERT_EQ(std::memcmp(bytes.data(), stream.data() + frames[number].first, bytes.size()), 0)
                << "frame " << number << " changed after it was shared, seed " << seed;
    }
}

TEST(receive_buffer, keeps_shared_frames_unchanged) {
    for (std::uint32_t seed = 1; seed <= 8; ++seed)
        run_stream(seed);
}

TEST(receive_buffer, copies_small_parts_and_shares_large_ones) {
    receive_buffer buffer;
    const auto room = buffer.prepare(0);
    ASSERT_GE(room.size(), std::size_t{200'000});
    std::memset(room.data(), 'a', 200'000);
    buffer.filled(200'000);
    const shared_bytes small = buffer.share(buffer.unread().first(1'000));
    const shared_bytes large = buffer.share(buffer.unread().first(150'000));
    EXPECT_NE(small.data(), buffer.unread().data());
    EXPECT_EQ(large.data(), buffer.unread().data());
}

TEST(receive_buffer, gives_a_large_frame_room_to_its_end_and_no_more) {
    receive_buffer buffer;
    buffer.filled(buffer.prepare(0).size() > 100 ? 100 : 0);
    EXPECT_EQ(buffer.prepare(1'000'000).size(), 1'000'000U - 100U);
}

TEST(receive_buffer, outlives_itself_in_what_was_shared) {
    shared_bytes kept;
    {
        receive_buffer buffer;
        const auto room = buffer.prepare(0);
        std::memset(room.data(), 'z', 100'000);
        buffer.filled(100'000);
        kept = buffer.share(buffer.unread());
    }
    EXPECT_EQ(as_text(kept.view()), std::string(100'000, 'z'));
}

} // namespace
} // namespace holdfast::client
