#include "base/bytes.hpp"
#include "base/ids.hpp"

#include <array>
#include <gtest/gtest.h>

namespace holdfast {
namespace {

TEST(shared_bytes, a_slice_keeps_the_owner_alive_and_copies_nothing) {
    shared_bytes slice;
    const std::byte* start = nullptr;
    {
        const auto whole = shared_bytes::copy_of(as_bytes("holdfast"));
        start = whole.data();
        slice = whole.slice(4, 4);
    }
    EXPECT_EQ(as_text(slice.view()), "fast");
    EXPECT_EQ(slice.data(), start + 4);
}

TEST(shared_bytes, a_slice_outside_is_a_bug) {
    const auto whole = shared_bytes::copy_of(as_bytes("abc"));
    EXPECT_DEATH((void)whole.slice(2, 2), "broken invariant");
}

TEST(byte_order, big_endian_is_the_wire_and_little_endian_the_log) {
    std::array<std::byte, 8> bytes{};
    store_big<std::uint32_t>(bytes.data(), 0xDAA320A7U);
    EXPECT_EQ(bytes[0], std::byte{0xDA});
    EXPECT_EQ(load_big<std::uint32_t>(bytes.data()), 0xDAA320A7U);
    store_little<std::int64_t>(bytes.data(), -2);
    EXPECT_EQ(bytes[0], std::byte{0xFE});
    EXPECT_EQ(load_little<std::int64_t>(bytes.data()), -2);
}

TEST(strong, positions_count_in_bytes_and_do_not_mix) {
    const log_position first{100};
    EXPECT_EQ((first + 28).value(), 128U);
    EXPECT_EQ(log_position{128} - first, 28U);
    EXPECT_LT(first, log_position{101});
    static_assert(!std::is_convertible_v<log_position, term_number>);
    static_assert(!std::is_convertible_v<std::uint64_t, log_position>);
}

} // namespace
} // namespace holdfast
