#include "broker/record_keys.hpp"

#include "broker/delivery_records.hpp"
#include "broker/entry_draft.hpp"
#include "storage/entry.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace holdfast::broker {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

protocol::stored_message_view with_properties(std::string_view text) {
    protocol::stored_message_view record;
    record.topic = "orders";
    record.properties = text;
    return record;
}

std::vector<std::string> keys_of(std::string_view properties) {
    std::vector<std::string> keys;
    for_each_key(with_properties(properties), [&](std::string_view key) { keys.emplace_back(key); });
    return keys;
}

TEST(record_keys, are_the_unique_key_and_every_word_of_keys) {
    EXPECT_THAT(keys_of("UNIQ_KEY\x01U1\x02KEYS\x01"
                        "a b\x02"),
                ElementsAre("U1", "a", "b"));
    EXPECT_THAT(keys_of("KEYS\x01  a   b \x02"), ElementsAre("a", "b"));
    EXPECT_THAT(keys_of("TAGS\x01t\x02"), IsEmpty());
    EXPECT_THAT(keys_of(""), IsEmpty());
}

TEST(record_keys, a_record_carries_its_keys_and_nothing_like_them) {
    const auto record = with_properties("UNIQ_KEY\x01U1\x02KEYS\x01order-1 order-2\x02");
    EXPECT_TRUE(carries_key(record, "U1"));
    EXPECT_TRUE(carries_key(record, "order-2"));
    EXPECT_FALSE(carries_key(record, "order"));
    EXPECT_FALSE(carries_key(record, "order-1 order-2"));
    EXPECT_FALSE(carries_key(record, ""));
}

// Messages in a queue, halves and delayed ones alike; with the record's place, not the entry's.
TEST(record_keys, of_an_entry_are_those_of_every_record_in_it) {
    entry_draft draft;
    std::vector<std::size_t> places;
    const auto add = [&](command_kind kind, std::size_t trailer) {
        protocol::stored_message message;
        message.topic = "orders";
        message.properties = "KEYS\x01k\x02";
        message.stored = timestamp_ms{7};
        places.push_back(draft.next_payload());
        const auto to = draft.add_record(kind, {topic_id{1}, queue_number{0}}, 0, message.size() + trailer);
        std::fill(to.begin(), to.end(), std::byte{0});
        protocol::write_stored_message(to.data(), message);
    };
    add(command_kind::message, 0);
    draft.add(command_kind::topic_delete, "gone");
    add(command_kind::half, half_trailer_bytes);
    add(command_kind::lean_delayed, delayed_trailer_bytes);
    std::vector<storage::key_entry> keys;
    ASSERT_TRUE(append_keys(draft.bytes(), log_position{6400}, keys).ok());
    const auto hash = storage::hash_key("orders", "k");
    const auto at = [&](std::size_t place) {
        return storage::key_entry{hash, log_position{6400} + place, timestamp_ms{7}};
    };
    EXPECT_THAT(keys, ElementsAre(at(places[0]), at(places[1]), at(places[2])));
}

TEST(record_keys, a_word_said_again_and_again_is_one_key_of_its_record) {
    entry_draft draft;
    for (int i = 0; i < 2; ++i) {
        protocol::stored_message message;
        message.topic = "orders";
        message.properties = "KEYS\x01"
                             "a b a b a\x02UNIQ_KEY\x01"
                             "b\x02";
        const auto to =
            draft.add_record(command_kind::message, {topic_id{1}, queue_number{0}}, 0, message.size());
        protocol::write_stored_message(to.data(), message);
    }
    std::vector<storage::key_entry> keys;
    ASSERT_TRUE(append_keys(draft.bytes(), log_position{0}, keys).ok());
    EXPECT_EQ(keys.size(), 4U) << "two of each record";
}

} // namespace
} // namespace holdfast::broker
