#include "broker/command.hpp"
#include "broker/entry_draft.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace holdfast::broker {
namespace {

std::string hex(byte_view bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (i != 0 && i % 4 == 0)
            text += ' ';
        text += digits[static_cast<std::size_t>(bytes[i]) >> 4U];
        text += digits[static_cast<std::size_t>(bytes[i]) & 0xFU];
    }
    return text;
}

std::vector<std::byte> bytes_of(const entry_draft& draft) {
    return {draft.bytes().begin(), draft.bytes().end()};
}

TEST(command, golden_bytes_of_a_header) {
    command_header header;
    header.size = 0x11223344;
    header.back = 0x58;
    header.topic = topic_id{7};
    header.queue = queue_number{3};
    header.tags = -2;
    header.kind = command_kind::offsets_commit;
    std::byte bytes[command_header_size];
    encode_command_header(header, bytes);
    EXPECT_EQ(hex(bytes), "44332211 58000000 07000000 03000000 feffffff 06000000");
}

TEST(command, golden_bytes_of_a_body_with_padding) {
    entry_draft draft;
    draft.add(command_kind::topic_delete, "abc");
    draft.add(command_kind::idle_mark, byte_view{});
    EXPECT_EQ(hex(byte_view{draft.bytes()}.subspan(storage::entry_header_size)),
              "03000000 58000000 00000000 00000000 00000000 03000000 61626300 00000000 "
              "00000000 78000000 00000000 00000000 00000000 09000000");
    EXPECT_EQ(draft.size(), storage::entry_header_size + 32 + 24);
}

TEST(command, the_numbers_of_kinds_are_for_ever) {
    EXPECT_EQ(static_cast<int>(command_kind::message), 1);
    EXPECT_EQ(static_cast<int>(command_kind::topic_put), 2);
    EXPECT_EQ(static_cast<int>(command_kind::topic_delete), 3);
    EXPECT_EQ(static_cast<int>(command_kind::group_put), 4);
    EXPECT_EQ(static_cast<int>(command_kind::group_delete), 5);
    EXPECT_EQ(static_cast<int>(command_kind::offsets_commit), 6);
    EXPECT_EQ(static_cast<int>(command_kind::leadership), 7);
    EXPECT_EQ(static_cast<int>(command_kind::trim), 8);
    EXPECT_EQ(static_cast<int>(command_kind::idle_mark), 9);
    EXPECT_EQ(static_cast<int>(command_kind::topic_create), 10);
    EXPECT_EQ(static_cast<int>(command_kind::group_create), 11);
}

TEST(command, a_cursor_reads_what_a_draft_wrote) {
    entry_draft draft{16};
    const auto record = draft.add_message({topic_id{5}, queue_number{2}}, 77, 13);
    std::fill(record.begin(), record.end(), std::byte{0xAB});
    draft.add(command_kind::group_delete, "group");
    command_cursor cursor{draft.bytes(), storage::entry_header_size};
    const auto first = cursor.next();
    ASSERT_TRUE(first.ok());
    EXPECT_EQ(first->header.kind, command_kind::message);
    EXPECT_EQ(first->header.topic, topic_id{5});
    EXPECT_EQ(first->header.queue, queue_number{2});
    EXPECT_EQ(first->header.tags, 77);
    EXPECT_EQ(first->payload_offset, storage::entry_header_size + command_header_size);
    EXPECT_EQ(std::vector<std::byte>(first->payload.begin(), first->payload.end()),
              std::vector<std::byte>(13, std::byte{0xAB}));
    const auto second = cursor.next();
    ASSERT_TRUE(second.ok());
    EXPECT_EQ(as_text(second->payload), "group");
    EXPECT_TRUE(cursor.done());
}

TEST(command, malformed_commands_are_errors) {
    entry_draft draft;
    draft.add(command_kind::topic_delete, "abcdefgh");
    const auto whole = bytes_of(draft);
    const auto fails = [](const std::vector<std::byte>& entry) {
        command_cursor cursor{entry, storage::entry_header_size};
        const auto outcome = cursor.next();
        return !outcome.ok() && outcome.failure().code == errc::corrupted;
    };
    ASSERT_FALSE(fails(whole));
    // Cut anywhere within the command.
    for (auto size = storage::entry_header_size + 1; size < whole.size(); ++size)
        EXPECT_TRUE(fails({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)})) << size;
    for (const std::uint32_t size : {9U, 0x7FFFFFFFU, 0xFFFFFFFFU}) {
        auto oversized = whole;
        store_little(oversized.data() + storage::entry_header_size, size);
        EXPECT_TRUE(fails(oversized)) << size;
    }
    auto astray = whole;
    store_little(astray.data() + storage::entry_header_size + 4, std::uint32_t{87});
    EXPECT_TRUE(fails(astray));
}

TEST(entry_draft, starts_empty_and_gives_its_bytes_away_once) {
    entry_draft draft;
    EXPECT_TRUE(draft.empty());
    EXPECT_EQ(draft.size(), 0U);
    EXPECT_EQ(draft.next_payload(), storage::entry_header_size + command_header_size);
    draft.add(command_kind::topic_delete, "x");
    EXPECT_EQ(draft.count(), 1U);
    EXPECT_EQ(draft.next_payload(), storage::entry_header_size + 2 * command_header_size + 8);
    const auto bytes = draft.release();
    EXPECT_EQ(bytes.size(), storage::entry_header_size + command_footprint(1));
    EXPECT_TRUE(draft.empty());
    EXPECT_EQ(draft.size(), 0U);
}

// However small the room it was promised, the bytes are the same.
TEST(entry_draft, grows_without_changing_what_was_written) {
    const auto fill = [](entry_draft& draft) {
        for (std::size_t i = 0; i < 300; ++i) {
            const auto record = draft.add_message({topic_id{1}, queue_number{0}}, 0, i);
            std::fill(record.begin(), record.end(), static_cast<std::byte>(i));
        }
    };
    entry_draft none;
    entry_draft little{100};
    entry_draft plenty{1U << 20U};
    for (auto* const draft : {&none, &little, &plenty}) {
        fill(*draft);
        std::fill_n(draft->bytes().begin(), storage::entry_header_size, std::byte{0});
    }
    EXPECT_EQ(bytes_of(none), bytes_of(plenty));
    EXPECT_EQ(bytes_of(little), bytes_of(plenty));
    EXPECT_EQ(plenty.count(), 300U);
}

TEST(entry_draft, every_command_points_back_and_is_padded_with_zeros) {
    entry_draft draft;
    for (std::size_t size = 0; size < 17; ++size) {
        const auto place = draft.next_payload();
        const auto record = draft.add_message({topic_id{1}, queue_number{0}}, 0, size);
        std::fill(record.begin(), record.end(), std::byte{0xFF});
        EXPECT_EQ(load_little<std::uint32_t>(draft.bytes().data() + place - command_header_size + 4), place);
        for (auto at = place + size; at < draft.size(); ++at)
            EXPECT_EQ(draft.bytes()[at], std::byte{0});
        EXPECT_EQ(draft.size() % command_alignment, 0U);
    }
}

} // namespace
} // namespace holdfast::broker
