#include "actors/peer_frame.hpp"

#include "cluster_fixture.hpp"

#include <caf/binary_deserializer.hpp>
#include <caf/binary_serializer.hpp>
#include <gtest/gtest.h>

namespace holdfast::actors {
namespace {

std::vector<char> saved(const peer_frame& frame, caf::error& failure) {
    std::vector<char> bytes;
    caf::binary_serializer sink{nullptr, bytes};
    failure = sink(frame);
    return bytes;
}

caf::error load(std::vector<char> bytes, peer_frame& frame) {
    caf::binary_deserializer source{nullptr, bytes};
    return source(frame);
}

TEST(peer_frame, slices_arrive_as_one) {
    caf::error failure;
    const auto bytes = saved(make_frame("head", {"ab", "", "cdef"}), failure);
    ASSERT_FALSE(failure);
    EXPECT_EQ(bytes.size(), 4U + 4U + 4U + 6U);
    peer_frame frame;
    ASSERT_FALSE(load(bytes, frame));
    EXPECT_EQ(frame.head, "head");
    ASSERT_EQ(frame.body.size(), 1U);
    EXPECT_EQ(body_text(frame), "abcdef");
}

TEST(peer_frame, nothing_at_all_is_a_frame_too) {
    caf::error failure;
    const auto bytes = saved({}, failure);
    ASSERT_FALSE(failure);
    auto frame = make_frame("old", {"old"});
    ASSERT_FALSE(load(bytes, frame));
    EXPECT_TRUE(frame.head.empty());
    EXPECT_TRUE(frame.body.empty());
}

TEST(peer_frame, every_cut_is_refused) {
    caf::error failure;
    const auto bytes = saved(make_frame("head", {"body"}), failure);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        peer_frame frame;
        const auto cut = static_cast<std::ptrdiff_t>(size);
        EXPECT_TRUE(load({bytes.begin(), bytes.begin() + cut}, frame)) << size;
    }
}

// Claims that would take gigabytes must fail before they are believed.
TEST(peer_frame, sizes_over_the_limits_are_refused_both_ways) {
    for (const auto& [head, body] :
         {std::pair{std::uint32_t{peer_frame::most_head_bytes + 1}, std::uint32_t{0}},
          std::pair{std::uint32_t{0}, std::uint32_t{peer_frame::most_body_bytes + 1}},
          std::pair{~std::uint32_t{0}, ~std::uint32_t{0}}}) {
        std::vector<char> bytes;
        caf::binary_serializer sink{nullptr, bytes};
        ASSERT_FALSE(sink(head, body));
        peer_frame frame;
        EXPECT_TRUE(load(bytes, frame));
        EXPECT_TRUE(frame.head.empty());
        EXPECT_TRUE(frame.body.empty());
    }
    caf::error failure;
    const auto over = make_frame(std::string(peer_frame::most_head_bytes + 1, 'h'), {});
    EXPECT_FALSE(within_limits(over));
    EXPECT_TRUE(saved(over, failure).empty());
    EXPECT_TRUE(failure);
    EXPECT_TRUE(within_limits(make_frame(std::string(peer_frame::most_head_bytes, 'h'), {})));
}

} // namespace
} // namespace holdfast::actors
