#include "network/incoming_stream.hpp"

#include "network/limits.hpp"
#include "protocol/limits.hpp"
#include "tests/network/frames.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>

namespace holdfast::network {
namespace {

using testing::HasSubstr;

class incoming_stream_test : public testing::Test {
  protected:
    // Reads `bytes` in pieces of at most `piece`; answers all frames' texts.
    std::vector<std::string> feed(std::string_view bytes, std::size_t piece = ~std::size_t{0}) {
        std::vector<std::string> frames;
        while (!bytes.empty()) {
            const auto room = stream.room();
            EXPECT_TRUE(room) << room.failure();
            const auto count = std::min({bytes.size(), piece, room->size()});
            std::memcpy(room->data(), bytes.data(), count);
            bytes.remove_prefix(count);
            auto [batch, failure] = stream.received(count);
            for (std::size_t index = 0; index < batch.size(); ++index)
                frames.emplace_back(as_text(batch.view(index)));
            if (batch.size() != 0)
                last_batch = std::move(batch);
            if (failure) {
                broken = failure;
                break;
            }
        }
        return frames;
    }

    std::shared_ptr<buffer_pool> pool = std::make_shared<buffer_pool>();
    shared_budget budget{64U << 20U};
    incoming_stream stream{pool, budget};
    frame_batch last_batch;
    std::optional<error> broken;
};

TEST_F(incoming_stream_test, finds_all_frames_of_one_read) {
    const auto bytes = frame_of(100, 'x') + frame_of(18) + frame_of(5000, 'y');
    EXPECT_EQ(feed(bytes), (std::vector{frame_of(100, 'x'), frame_of(18), frame_of(5000, 'y')}));
    EXPECT_FALSE(stream.is_inside_a_frame());
    EXPECT_EQ(stream.held_bytes(), 0U);
    EXPECT_EQ(last_batch.bytes(), bytes.size());
}

TEST_F(incoming_stream_test, joins_a_frame_that_comes_byte_by_byte) {
    EXPECT_EQ(feed(frame_of(40) + frame_of(41), 1), (std::vector{frame_of(40), frame_of(41)}));
}

// Whatever the sizes and the pieces, the frames come out as they went in.
TEST_F(incoming_stream_test, is_indifferent_to_where_reads_are_cut) {
    std::mt19937 random{7}; // NOLINT(cert-msc51-cpp): a seed that reproduces
    for (int round = 0; round < 60; ++round) {
        std::vector<std::string> sent;
        std::string bytes;
        for (int frame = 0; frame < 20; ++frame) {
            const std::size_t most = 1U << (5 + random() % 15);
            sent.push_back(frame_of(18 + random() % most, static_cast<char>('a' + frame)));
            bytes += sent.back();
        }
        const std::size_t piece = 1 + random() % (1U << (random() % 21));
        ASSERT_EQ(feed(bytes, std::max(piece, bytes.size() / 5000)), sent);
        ASSERT_FALSE(stream.is_inside_a_frame());
    }
}

TEST_F(incoming_stream_test, slices_stay_when_the_stream_goes_on) {
    const auto big = frame_of(60'000, 'k');
    (void)feed(big + frame_of(100).substr(0, 50));
    const auto kept = last_batch.slice(0);
    (void)feed(frame_of(100).substr(50) + frame_of(60'000, 'n'));
    EXPECT_EQ(as_text(kept.view()), big);
}

TEST_F(incoming_stream_test, gives_a_short_batch_memory_of_its_own) {
    (void)feed(frame_of(1000));
    EXPECT_EQ(pool->unused_bytes(), read_buffer_min_bytes) << "the read buffer must be free again";
    (void)feed(frame_of(60'000));
    EXPECT_EQ(pool->unused_bytes(), 0U) << "a full one is handed over as it is";
}

TEST_F(incoming_stream_test, takes_memory_for_what_arrived_not_for_what_is_claimed) {
    (void)feed(prefix_of(protocol::limits::max_frame_bytes));
    EXPECT_LE(stream.held_bytes(), 4096U);
    std::size_t arrived = 64;
    for (; arrived < 3'000'000; arrived += 10'000) {
        (void)feed(std::string(10'000, 'x'));
        ASSERT_LE(stream.held_bytes(), std::max(read_buffer_min_bytes * 4, 2 * (arrived + 10'000) + 4096));
    }
    EXPECT_EQ(budget.used(), stream.held_bytes());
    EXPECT_TRUE(stream.is_inside_a_frame());
}

TEST_F(incoming_stream_test, takes_the_longest_frame_and_nothing_longer) {
    const auto longest = frame_of(protocol::limits::max_frame_bytes);
    EXPECT_EQ(feed(longest), std::vector{longest});
    EXPECT_EQ(stream.held_bytes(), 0U);
    (void)feed(prefix_of(protocol::limits::max_frame_bytes + 1));
    ASSERT_TRUE(broken);
    EXPECT_EQ(broken->code, errc::too_large);
}

TEST_F(incoming_stream_test, hands_over_what_came_before_garbage) {
    EXPECT_EQ(feed(frame_of(30) + std::string(8, '\xFF')), std::vector{frame_of(30)});
    ASSERT_TRUE(broken);
}

TEST_F(incoming_stream_test, recognises_strangers) {
    (void)feed("GET / HTTP/1.1\r\n\r\n");
    ASSERT_TRUE(broken);
    EXPECT_THAT(broken->message, HasSubstr("HTTP"));
    broken.reset();
    incoming_stream another{pool, budget};
    const auto room = another.room();
    const std::string hello = "\x16\x03\x01\x02\x01\x01\x01\x01";
    std::memcpy(room->data(), hello.data(), hello.size());
    const auto [frames, failure] = another.received(hello.size());
    ASSERT_TRUE(failure);
    EXPECT_THAT(failure->message, HasSubstr("TLS"));
}

TEST_F(incoming_stream_test, asks_for_larger_reads_while_they_are_filled_and_smaller_ones_later) {
    const auto read = [&](std::size_t most) {
        const auto room = stream.room();
        const auto size = room->size();
        const auto frame = frame_of(std::min(size, most));
        std::memcpy(room->data(), frame.data(), frame.size());
        EXPECT_EQ(stream.received(frame.size()).frames.size(), 1U);
        return size;
    };
    EXPECT_EQ(read(1U << 20U), 64U << 10U);
    EXPECT_EQ(read(1U << 20U), 256U << 10U);
    EXPECT_EQ(read(1U << 20U), 1U << 20U);
    EXPECT_EQ(read(1U << 20U), 1U << 20U);
    for (int small = 0; small < 20; ++small)
        (void)read(100);
    EXPECT_EQ(read(100), 64U << 10U);
}

TEST_F(incoming_stream_test, gives_its_buffer_back_when_there_was_nothing_to_read) {
    ASSERT_TRUE(stream.room());
    EXPECT_TRUE(stream.received(0).frames.empty());
    EXPECT_EQ(pool->unused_bytes(), read_buffer_min_bytes);
    (void)feed(frame_of(100).substr(0, 3));
    ASSERT_TRUE(stream.room());
    EXPECT_TRUE(stream.received(0).frames.empty());
    EXPECT_EQ(feed(frame_of(100).substr(3)), std::vector{frame_of(100)});
}

TEST(incoming_stream, must_yield_when_memory_is_used_up_and_it_holds_more_than_its_share) {
    auto pool = std::make_shared<buffer_pool>();
    shared_budget budget{300'000};
    incoming_stream modest{pool, budget};
    std::optional<incoming_stream> greedy;
    greedy.emplace(pool, budget);
    const auto fill = [](incoming_stream& stream, std::string_view bytes) {
        const auto room = stream.room();
        if (!room)
            return false;
        const auto count = std::min(room->size(), bytes.size());
        std::memcpy(room->data(), bytes.data(), count);
        (void)stream.received(count);
        return true;
    };
    ASSERT_TRUE(fill(modest, prefix_of(1'000'000) + std::string(50'000, 'm')));
    ASSERT_TRUE(fill(*greedy, prefix_of(10'000'000)));
    const std::string chunk(60'000, 'g');
    int rounds = 0;
    while (fill(*greedy, chunk) && ++rounds < 100)
        continue;
    EXPECT_LT(rounds, 100);
    EXPECT_TRUE(greedy->must_yield());
    EXPECT_FALSE(modest.must_yield());
    EXPECT_TRUE(fill(modest, "more"));
    greedy.reset();
    EXPECT_EQ(budget.used(), modest.held_bytes());
}

} // namespace
} // namespace holdfast::network
