#include "consensus/message_frames.hpp"

#include <gtest/gtest.h>

namespace holdfast::consensus {
namespace {

shared_bytes pattern(std::size_t size, unsigned seed) {
    std::vector<std::byte> bytes(size);
    for (std::size_t i = 0; i < size; ++i)
        bytes[i] = static_cast<std::byte>((i * 7 + seed) >> 3U);
    return shared_bytes::copy_of(bytes);
}

message request_with(std::vector<shared_bytes> entries) {
    append_request request;
    request.previous_end = log_position{4'096};
    request.previous_term = term_number{3};
    request.commit = log_position{2'048};
    request.sequence = 17;
    request.entries = std::move(entries);
    return {{"a", "a1"}, "b", term_number{4}, std::move(request)};
}

// As the link delivers it: the body in one piece.
shared_bytes arrived(const message_frame& frame) {
    std::vector<std::byte> bytes;
    for (const auto& part : frame.body)
        bytes.insert(bytes.end(), part.data(), part.data() + part.size());
    return shared_bytes::copy_of(bytes);
}

const append_request& request_in(const result<message>& got) {
    return std::get<append_request>(got->body);
}

bool same_bytes(const shared_bytes& left, const shared_bytes& right) {
    return std::ranges::equal(left.view(), right.view());
}

TEST(message_frames, small_ones_are_one_frame) {
    for (const auto size : {std::size_t{1}, slice_bytes}) {
        const auto entry = pattern(size, 1);
        const auto frames = to_frames(request_with({entry}));
        ASSERT_EQ(frames.size(), 1U);
        frame_reader reader;
        const auto got = reader.receive(frames[0].head, arrived(frames[0]));
        ASSERT_TRUE(got.ok());
        ASSERT_EQ(request_in(got).entries.size(), 1U);
        EXPECT_TRUE(same_bytes(request_in(got).entries[0], entry));
    }
    const auto vote = to_frames({{"a", "a1"}, "b", term_number{4}, vote_answer{false, true}});
    ASSERT_EQ(vote.size(), 1U);
    EXPECT_TRUE(vote[0].body.empty());
}

TEST(message_frames, slices_are_heartbeats_and_the_last_one_is_the_message) {
    for (const auto size : {slice_bytes + 1, 2 * slice_bytes, 3 * slice_bytes + 12'345}) {
        const auto first = pattern(100, 1);
        const auto large = pattern(size, 2);
        const auto frames = to_frames(request_with({first, large}));
        ASSERT_EQ(frames.size(), (size + 100 + slice_bytes - 1) / slice_bytes);
        frame_reader reader;
        for (std::size_t i = 0; i < frames.size(); ++i) {
            const auto body = arrived(frames[i]);
            EXPECT_LE(body.size(), slice_bytes);
            const auto got = reader.receive(frames[i].head, body);
            ASSERT_TRUE(got.ok()) << got.failure();
            EXPECT_EQ(got->from.name, "a");
            EXPECT_EQ(got->term, term_number{4});
            EXPECT_EQ(request_in(got).previous_end, log_position{4'096});
            EXPECT_EQ(request_in(got).sequence, 17U);
            if (i + 1 < frames.size()) {
                EXPECT_TRUE(request_in(got).entries.empty());
                continue;
            }
            ASSERT_EQ(request_in(got).entries.size(), 2U);
            EXPECT_TRUE(same_bytes(request_in(got).entries[0], first));
            EXPECT_TRUE(same_bytes(request_in(got).entries[1], large));
        }
    }
}

TEST(message_frames, others_may_come_between_slices) {
    const auto large = pattern(2 * slice_bytes, 5);
    const auto frames = to_frames(request_with({large}));
    const auto other = to_frames(request_with({}));
    frame_reader reader;
    ASSERT_TRUE(reader.receive(frames[0].head, arrived(frames[0])).ok());
    ASSERT_TRUE(reader.receive(other[0].head, arrived(other[0])).ok());
    const auto got = reader.receive(frames[1].head, arrived(frames[1]));
    ASSERT_TRUE(got.ok());
    EXPECT_TRUE(same_bytes(request_in(got).entries.at(0), large));
}

TEST(message_frames, without_one_slice_the_rest_are_heartbeats_and_the_message_comes_again) {
    const auto large = pattern(3 * slice_bytes, 5);
    const auto frames = to_frames(request_with({large}));
    for (std::size_t lost = 0; lost < frames.size(); ++lost) {
        frame_reader reader;
        for (std::size_t i = 0; i < frames.size(); ++i) {
            if (i == lost)
                continue;
            const auto got = reader.receive(frames[i].head, arrived(frames[i]));
            const bool is_last = i + 1 == frames.size();
            ASSERT_EQ(got.ok(), !is_last);
            if (got.ok()) {
                EXPECT_TRUE(request_in(got).entries.empty());
            }
        }
        for (std::size_t i = 0; i < frames.size(); ++i)
            EXPECT_TRUE(reader.receive(frames[i].head, arrived(frames[i])).ok());
    }
}

TEST(message_frames, sizes_that_cannot_be_are_refused) {
    const auto frames = to_frames(request_with({pattern(2 * slice_bytes, 5)}));
    frame_reader reader;
    for (std::size_t length = 1; length < frames[0].head.size(); ++length)
        EXPECT_FALSE(
            reader.receive(std::string_view{frames[0].head}.substr(0, length), arrived(frames[0])).ok());
    auto huge = frames[0].head;
    huge[14] = '\x7f'; // of the total
    EXPECT_FALSE(reader.receive(huge, arrived(frames[0])).ok());
    EXPECT_FALSE(reader.receive(frames[1].head, arrived(frames[0]).slice(0, 10)).ok());
}

} // namespace
} // namespace holdfast::consensus
