#include "protocol/frame.hpp"
#include "tests/protocol/protocol_helpers.hpp"

#include <gtest/gtest.h>

namespace holdfast::protocol {
namespace {

std::string prefix(std::uint32_t length, std::uint32_t word) {
    byte_buffer out;
    out.append_big(length);
    out.append_big(word);
    return std::string{as_text(out.view())};
}

TEST(Frame, IncompleteAtEveryByteButTheLast) {
    const byte_buffer frame = json_frame("{}", "body");
    for (std::size_t size = 0; size < frame.size(); ++size) {
        const auto found = next_frame(frame.view().first(size));
        ASSERT_TRUE(found) << found.failure();
        EXPECT_FALSE(*found) << size;
    }
    EXPECT_EQ(as_text(only_frame(frame.view()).header), "{}");
    EXPECT_EQ(as_text(only_frame(frame.view()).body), "body");
}

TEST(Frame, TakesTheFirstOfSeveral) {
    byte_buffer both = json_frame("{}", "one");
    const std::size_t first_size = both.size();
    both.append(json_frame(R"({"code":1})", "second").view());
    const auto first = next_frame(both.view());
    ASSERT_TRUE(first && *first);
    EXPECT_EQ((*first)->size, first_size);
    EXPECT_EQ(as_text((*first)->body), "one");
    EXPECT_EQ(as_text(only_frame(both.view().subspan(first_size)).body), "second");
}

TEST(Frame, SizeIsKnownAfterEightBytes) {
    const std::string head = prefix(100, 20);
    EXPECT_EQ(*peek_frame_size(as_bytes(head).first(7)), std::nullopt);
    EXPECT_EQ(*peek_frame_size(as_bytes(head)), 104U);
}

TEST(Frame, TooLargeIsRefusedAfterFourBytes) {
    const std::string head = prefix(limits::max_frame_bytes - 3, 0);
    const auto size = peek_frame_size(as_bytes(head).first(4));
    ASSERT_FALSE(size);
    EXPECT_EQ(size.failure().code, errc::too_large);

    const std::string largest = prefix(limits::max_frame_bytes - 4, 0);
    EXPECT_EQ(*peek_frame_size(as_bytes(largest)), limits::max_frame_bytes);
    const auto smaller_limit = next_frame(as_bytes(largest), 1000);
    ASSERT_FALSE(smaller_limit);
    EXPECT_EQ(smaller_limit.failure().code, errc::too_large);
}

TEST(Frame, ContradictionsAreMalformed) {
    for (const std::string& head : {prefix(3, 0), prefix(0, 0), prefix(4, 1), prefix(20, 17),
                                    prefix(20, 0x02000004), prefix(20, 0xFF000004)}) {
        const auto found = next_frame(as_bytes(head));
        ASSERT_FALSE(found) << to_hex(as_bytes(head));
        EXPECT_EQ(found.failure().code, errc::malformed);
    }
}

TEST(Frame, HeaderOverItsLimitIsTooLarge) {
    const std::string head = prefix(limits::max_header_bytes + 100, limits::max_header_bytes + 1);
    const auto found = next_frame(as_bytes(head));
    ASSERT_FALSE(found);
    EXPECT_EQ(found.failure().code, errc::too_large);
}

TEST(Frame, OtherProtocolsAreTold) {
    const auto found = next_frame(as_bytes("GET / HTTP/1.1\r\n"));
    ASSERT_FALSE(found); // "GET " as a length is far over the limit
    EXPECT_EQ(found.failure().code, errc::too_large);
}

} // namespace
} // namespace holdfast::protocol
