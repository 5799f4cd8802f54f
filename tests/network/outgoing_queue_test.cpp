#include "network/outgoing_queue.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace holdfast::network {
namespace {

shared_bytes piece(std::string_view text) {
    return shared_bytes::copy_of(as_bytes(text));
}

// Writes everything, at most `step` bytes at a time.
std::string drain(outgoing_queue& queue, std::size_t step = ~std::size_t{0}) {
    std::string written;
    for (auto views = queue.next(); !views.empty(); views = queue.next()) {
        std::size_t count = 0;
        for (const auto& view : views) {
            const auto part = std::min(view.size(), step - count);
            written += as_text(view.first(part));
            count += part;
        }
        queue.written(count);
    }
    return written;
}

TEST(outgoing_queue, joins_small_neighbours_and_leaves_large_pieces_where_they_are) {
    outgoing_queue queue;
    const std::string large(outgoing_queue::joined_max_bytes + 1, 'L');
    const auto large_piece = piece(large);
    queue.add({piece("a"), piece("b"), large_piece, piece("c"), piece(""), piece("d")});
    const auto views = queue.next();
    ASSERT_EQ(views.size(), 3U);
    EXPECT_EQ(as_text(views[0]), "ab");
    EXPECT_EQ(views[1].data(), large_piece.data());
    EXPECT_EQ(as_text(views[2]), "cd");
    EXPECT_EQ(drain(queue), "ab" + large + "cd");
    EXPECT_TRUE(queue.empty());
}

TEST(outgoing_queue, does_not_copy_a_single_piece) {
    outgoing_queue queue;
    const auto only = piece("only");
    queue.add({only});
    EXPECT_EQ(queue.next()[0].data(), only.data());
}

TEST(outgoing_queue, goes_on_where_a_partial_write_stopped_and_takes_more_meanwhile) {
    outgoing_queue queue;
    queue.add({piece("hello "), piece("world")});
    EXPECT_FALSE(queue.next().empty());
    queue.written(3);
    queue.add({piece(", "), piece("again")});
    EXPECT_EQ(as_text(queue.next()[0]), "lo world");
    EXPECT_EQ(drain(queue, 2), "lo world, again");
}

TEST(outgoing_queue, is_empty_with_nothing_but_empty_pieces) {
    outgoing_queue queue;
    EXPECT_TRUE(queue.empty());
    queue.add({shared_bytes{}});
    EXPECT_TRUE(queue.next().empty());
    EXPECT_TRUE(queue.empty());
}

TEST(outgoing_queue, keeps_the_order_of_everything_whatever_is_written_at_a_time) {
    std::mt19937 random{11}; // NOLINT(cert-msc51-cpp): a seed that reproduces
    outgoing_queue queue;
    std::string expected;
    std::string written;
    for (int round = 0; round < 300; ++round) {
        std::vector<shared_bytes> pieces;
        for (auto count = random() % 60; count != 0; --count) {
            const std::string text(random() % (random() % 8 == 0 ? 30'000 : 300),
                                   static_cast<char>(random()));
            pieces.push_back(piece(text));
            expected += text;
        }
        queue.add(std::move(pieces));
        const auto views = queue.next();
        if (views.empty())
            continue;
        EXPECT_LE(views.size(), outgoing_queue::views_max);
        const auto part = 1 + random() % views[0].size();
        written += as_text(views[0].first(part));
        queue.written(part);
    }
    written += drain(queue, 50'000);
    EXPECT_EQ(written, expected);
    EXPECT_TRUE(queue.empty());
}

} // namespace
} // namespace holdfast::network
