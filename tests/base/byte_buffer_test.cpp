#include "base/byte_buffer.hpp"

#include <gtest/gtest.h>

#include <string>

namespace holdfast {
namespace {

TEST(ByteBuffer, GrowsAndKeepsWhatWasWritten) {
    byte_buffer buffer;
    std::string expected;
    for (int i = 0; i < 1000; ++i) {
        const std::string piece(static_cast<std::size_t>(i % 17), static_cast<char>('a' + i % 26));
        buffer.append(std::string_view{piece});
        expected += piece;
    }
    EXPECT_EQ(as_text(buffer.view()), expected);
}

TEST(ByteBuffer, ExtendHandsOutTheEnd) {
    byte_buffer buffer{4};
    buffer.append(std::string_view{"ab"});
    std::byte* const room = buffer.extend(3);
    std::memcpy(room, "cde", 3);
    EXPECT_EQ(as_text(buffer.view()), "abcde");
    buffer.truncate(1);
    buffer.append_big(std::uint16_t{0x6263});
    buffer.append('!');
    EXPECT_EQ(as_text(buffer.view()), "abc!");
}

TEST(ByteBuffer, ReleaseGivesTheBytesAwayWithoutCopy) {
    byte_buffer buffer;
    EXPECT_TRUE(buffer.release().empty());
    buffer.append(std::string_view{"hello"});
    const std::byte* const at = buffer.data();
    const shared_bytes bytes = buffer.release();
    EXPECT_EQ(bytes.data(), at);
    EXPECT_EQ(as_text(bytes.view()), "hello");
    EXPECT_TRUE(buffer.empty());
    EXPECT_EQ(buffer.capacity(), 0U);
}

TEST(ByteBuffer, MovesLeaveAnEmptyBuffer) {
    byte_buffer first;
    first.append(std::string_view{"x"});
    byte_buffer second = std::move(first);
    EXPECT_EQ(as_text(second.view()), "x");
    EXPECT_EQ(first.size(), 0U); // NOLINT(bugprone-use-after-move): the promise under test
}

} // namespace
} // namespace holdfast
