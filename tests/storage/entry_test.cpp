#include "storage/entry.hpp"

#include "storage/segment_geometry.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace holdfast::storage {
namespace {

std::vector<std::byte> sealed_sample(entry_header& header) {
    header.previous_checksum = 0xAABBCCDD;
    header.position = log_position{0x0022334455667740};
    header.term = term_number{7};
    header.flushed = log_position{0x0022334455660000};
    header.committed = log_position{0x0022334455650040};
    header.timestamp = timestamp_ms{1700000000123};
    header.count = 3;
    const auto body = as_bytes("hello, log");
    std::vector<std::byte> bytes(entry_header_size + body.size());
    std::memcpy(bytes.data() + entry_header_size, body.data(), body.size());
    seal_entry(header, bytes);
    return bytes;
}

std::string to_hex(byte_view bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const auto byte : bytes) {
        text += digits[std::to_integer<unsigned>(byte) >> 4U];
        text += digits[std::to_integer<unsigned>(byte) & 15U];
    }
    return text;
}

// Written out by hand from docs/files.md; the checksums come from a bitwise CRC-32C in another language.
TEST(entry, golden_bytes) {
    entry_header header;
    const auto bytes = sealed_sample(header);
    EXPECT_EQ(to_hex(bytes), "48464531"
                             "0704f090"
                             "4a000000"
                             "ddccbbaa"
                             "4077665544332200"
                             "0700000000000000"
                             "548bdd0100000000" // a check, and 0x7740 / 64
                             "7b68e5cf8b010000"
                             "03000000"
                             "0200"
                             "0000"
                             "4000655544332200"
                             "68656c6c6f2c206c6f67");
}

TEST(entry, reads_what_it_sealed) {
    entry_header header;
    auto bytes = sealed_sample(header);
    bytes.resize(bytes.size() + 100); // longer is fine
    const auto decoded = decode_entry(bytes);
    ASSERT_TRUE(decoded.ok()) << decoded.failure();
    EXPECT_EQ(*decoded, header);
    EXPECT_EQ(as_text(entry_body(*decoded, bytes)), "hello, log");
    EXPECT_EQ(decoded->end(), header.position + 74);
    EXPECT_EQ(decoded->next(), header.position + 128);
}

TEST(entry, every_flipped_bit_is_noticed) {
    entry_header header;
    auto bytes = sealed_sample(header);
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        bytes[bit / 8] ^= std::byte{1} << (bit % 8);
        EXPECT_FALSE(decode_entry(bytes).ok()) << "bit " << bit;
        bytes[bit / 8] ^= std::byte{1} << (bit % 8);
    }
    EXPECT_TRUE(decode_entry(bytes).ok());
}

TEST(entry, every_truncation_is_noticed) {
    entry_header header;
    const auto bytes = sealed_sample(header);
    for (std::size_t size = 0; size < bytes.size(); ++size)
        EXPECT_FALSE(decode_entry(byte_view{bytes}.first(size)).ok()) << size;
}

TEST(entry, refuses_headers_out_of_range) {
    entry_header header;
    const auto good = sealed_sample(header);
    const auto code_with = [&](std::size_t offset, auto value) {
        auto bytes = good;
        store_little(bytes.data() + offset, value);
        const auto decoded = decode_entry_header(bytes);
        return decoded ? std::string{"accepted"} : decoded.failure().message;
    };
    EXPECT_EQ(code_with(0, std::uint32_t{0}), "not a log entry: no magic number");
    EXPECT_EQ(code_with(8, std::uint32_t{63}), "not a log entry: length 63 is out of range");
    EXPECT_EQ(code_with(8, std::uint32_t{max_entry_length + 1}),
              "not a log entry: length 67108865 is out of range");
    EXPECT_EQ(code_with(16, std::uint64_t{1}), "not a log entry: position 1 is not aligned");
    EXPECT_EQ(code_with(16, ~std::uint64_t{63}), "not a log entry: position is out of range");
    EXPECT_EQ(code_with(32, ~std::uint64_t{0}),
              "not a log entry: the check of the flushed position does not hold");
    EXPECT_EQ(code_with(32, std::uint64_t{0}),
              "not a log entry: the check of the flushed position does not hold");
    EXPECT_EQ(code_with(16, std::uint64_t{64}),
              "not a log entry: flushed position lies before the log's beginning");
    EXPECT_EQ(code_with(52, std::uint16_t{3}), "not a log entry: format version 3, this build reads 2");
    EXPECT_EQ(code_with(54, std::uint16_t{4}), "not a log entry: unknown flags");
    EXPECT_EQ(code_with(54, filler_flag), "not a log entry: a filler with a body");
    EXPECT_EQ(code_with(56, header.position.value() + 1),
              "not a log entry: committed position lies behind the entry");
}

TEST(entry, an_earlier_builds_format_is_refused_in_words) {
    entry_header header;
    auto bytes = sealed_sample(header);
    store_little(bytes.data() + 52, std::uint16_t{1});
    const auto decoded = decode_entry(bytes);
    ASSERT_FALSE(decoded.ok());
    EXPECT_EQ(decoded.failure().code, errc::not_supported);
    EXPECT_NE(decoded.failure().message.find("written by an earlier build"), std::string::npos);
}

TEST(entry, a_follower_puts_in_its_own_flushed_mark_and_changes_nothing_else) {
    entry_header header;
    auto bytes = sealed_sample(header);
    const auto leaders = bytes;
    for (const auto flushed : {header.position, log_position{header.position - 64}, header.flushed}) {
        patch_flushed(bytes, flushed);
        auto expected = header;
        expected.flushed = flushed;
        const auto decoded = decode_entry(bytes);
        ASSERT_TRUE(decoded.ok()) << decoded.failure();
        EXPECT_EQ(*decoded, expected);
    }
    EXPECT_EQ(bytes, leaders);
}

// Each mark has other check bits; every one must notice every flipped bit of itself.
TEST(entry, every_flipped_bit_of_many_flushed_marks_is_noticed) {
    entry_header header;
    auto bytes = sealed_sample(header);
    for (std::uint64_t distance = 0; distance < header.position.value(); distance = distance * 3 + 64) {
        patch_flushed(bytes, log_position{header.position - distance});
        for (std::size_t bit = 32 * 8; bit < 40 * 8; ++bit) {
            bytes[bit / 8] ^= std::byte{1} << (bit % 8);
            EXPECT_FALSE(decode_entry_header(bytes).ok()) << "distance " << distance << " bit " << bit;
            bytes[bit / 8] ^= std::byte{1} << (bit % 8);
        }
    }
}

TEST(entry, a_change_of_members_is_seen_in_the_header) {
    entry_header header;
    std::vector<std::byte> bytes(entry_header_size + 8);
    header.flags = members_flag;
    seal_entry(header, bytes);
    const auto decoded = decode_entry(bytes);
    ASSERT_TRUE(decoded.ok()) << decoded.failure();
    EXPECT_TRUE(decoded->changes_members());
    EXPECT_FALSE(decoded->is_filler());
}

TEST(entry, filler_is_a_bare_header) {
    entry_header header;
    header.position = log_position{4096};
    header.previous_checksum = 5;
    const auto bytes = seal_filler(header);
    const auto decoded = decode_entry(bytes.view());
    ASSERT_TRUE(decoded.ok());
    EXPECT_TRUE(decoded->is_filler());
    EXPECT_EQ(bytes.size(), entry_header_size);
    EXPECT_EQ(decoded->checksum, header.checksum);
}

TEST(segment_geometry, entry_stays_where_it_fits) {
    const segment_geometry geometry{log_position{8192}, 4096, 16384};
    const auto place = place_entry(geometry, log_position{8192 + 64}, 4032);
    EXPECT_FALSE(place.filler.has_value());
    EXPECT_EQ(place.position, log_position{8192 + 64});
    EXPECT_EQ(place.geometry, geometry);
}

TEST(segment_geometry, entry_that_does_not_fit_begins_the_next_segment_after_a_filler) {
    const segment_geometry geometry{log_position{8192}, 4096, 16384};
    const auto place = place_entry(geometry, log_position{8192 + 64}, 4033);
    EXPECT_EQ(place.filler, log_position{8192 + 64});
    EXPECT_EQ(place.position, log_position{12288});
    EXPECT_EQ(place.geometry, (segment_geometry{log_position{12288}, 16384, 16384}));
}

TEST(segment_geometry, full_segment_needs_no_filler) {
    const segment_geometry geometry{log_position{8192}, 4096, 16384};
    const auto place = place_entry(geometry, log_position{12288}, 100);
    EXPECT_FALSE(place.filler.has_value());
    EXPECT_EQ(place.position, log_position{12288});
    EXPECT_EQ(place.geometry.first, log_position{12288});
}

} // namespace
} // namespace holdfast::storage
