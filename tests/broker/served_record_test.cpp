#include "broker/served_record.hpp"

#include "broker/delivery_records.hpp"
#include "broker/entry_draft.hpp"
#include "protocol/names.hpp"

#include <gtest/gtest.h>

namespace holdfast::broker {
namespace {

namespace sys_flag = protocol::sys_flag;
using storage::record_fate;
using storage::settled_record;

constexpr timestamp_ms written{1'000};
constexpr timestamp_ms brought{2'000};

class served_records : public ::testing::Test {
  protected:
    // A record of the topic "orders", queue 3, as message_intake would write it.
    void write(command_kind kind) {
        std::string properties;
        protocol::append_property(properties, protocol::property::unique_key, "U");
        protocol::stored_message message;
        message.queue = queue_number{3};
        message.position = position;
        message.sys_flag =
            is_half(kind) ? sys_flag::compressed | sys_flag::transaction_prepared : sys_flag::compressed;
        message.stored = written;
        message.body = as_bytes("transfer");
        message.topic = "orders";
        message.properties = properties;
        offset_ = draft_.next_payload();
        const auto to =
            draft_.add_record(kind, {topic_id{1}, queue_number{3}}, 0, message.size() + trailer_bytes(kind));
        std::fill(to.begin(), to.end(), std::byte{0});
        protocol::write_stored_message(to.data(), message);
        stored_size_ = message.size();
    }

    const protocol::stored_message_view& served(const std::optional<settled_record>& settled) {
        const auto record = served_record::of(draft_.bytes(), offset_, settled);
        EXPECT_TRUE(record.ok());
        copy_.resize(record->size());
        record->write(queue_offset{7}, copy_.data());
        const auto decoded = protocol::decode_stored_message(copy_);
        EXPECT_TRUE(decoded.ok());
        EXPECT_EQ(decoded->size, copy_.size());
        EXPECT_EQ(decoded->offset, queue_offset{7});
        EXPECT_TRUE(decoded->body_is_intact());
        EXPECT_EQ(as_text(decoded->body), "transfer");
        EXPECT_EQ(decoded->property("UNIQ_KEY"), "U");
        message_ = *decoded;
        return message_;
    }
    static settled_record settled(record_fate fate, std::uint8_t checks = 0) {
        return {position, fate, queue_offset{7}, brought, checks};
    }

    static constexpr log_position position{640};
    entry_draft draft_;
    std::size_t offset_ = 0;
    std::size_t stored_size_ = 0;
    std::vector<std::byte> copy_;
    protocol::stored_message_view message_;
};

TEST_F(served_records, a_message_gets_its_offset_and_nothing_else) {
    write(command_kind::message);
    const auto& message = served({});
    EXPECT_EQ(message.size, stored_size_);
    EXPECT_EQ(message.stored, written);
    EXPECT_EQ(message.property("REAL_TOPIC"), std::nullopt);
}

TEST_F(served_records, a_lean_record_says_where_it_came_from_as_an_older_one_did) {
    for (const auto kind : {command_kind::lean_half, command_kind::lean_delayed}) {
        write(kind);
        const auto& message = served(settled(record_fate::queued));
        EXPECT_EQ(message.properties, "UNIQ_KEY\1U\2REAL_TOPIC\1orders\2REAL_QID\1"
                                      "3\2");
        EXPECT_EQ(message.size, stored_size_ + origin_bytes("orders", queue_number{3}));
        const auto stored = protocol::decode_stored_message(draft_.bytes().subspan(offset_));
        ASSERT_TRUE(stored.ok());
        EXPECT_EQ(message.size, served_size(kind, *stored));
    }
}

TEST_F(served_records, what_came_into_its_queue_later_shows_when_that_was) {
    for (const auto kind :
         {command_kind::half, command_kind::lean_half, command_kind::delayed, command_kind::lean_delayed}) {
        write(kind);
        EXPECT_EQ(served(settled(record_fate::queued)).stored, brought);
    }
}

TEST_F(served_records, a_committed_half_shows_its_transaction) {
    for (const auto kind : {command_kind::half, command_kind::lean_half}) {
        write(kind);
        const auto& message = served(settled(record_fate::queued));
        EXPECT_EQ(message.sys_flag, sys_flag::compressed | sys_flag::transaction_commit);
        EXPECT_EQ(message.prepared_transaction_offset, static_cast<std::int64_t>(position.value()));
        EXPECT_EQ(message.topic, "orders");
        EXPECT_EQ(message.queue_id, 3);
    }
}

TEST_F(served_records, a_half_that_was_given_up_is_a_message_of_the_topic_where_people_look) {
    write(command_kind::lean_half);
    const auto& message = served(settled(record_fate::given_up, 15));
    EXPECT_EQ(message.topic, protocol::check_exhausted_topic);
    EXPECT_EQ(message.queue_id, 0);
    EXPECT_EQ(message.sys_flag, sys_flag::compressed);
    EXPECT_EQ(message.prepared_transaction_offset, 0);
    EXPECT_EQ(message.stored, brought);
    EXPECT_EQ(message.properties, "UNIQ_KEY\1U\2REAL_TOPIC\1orders\2REAL_QID\1"
                                  "3\2"
                                  "TRANSACTION_CHECK_TIMES\1"
                                  "15\2");
    const auto stored = protocol::decode_stored_message(draft_.bytes().subspan(offset_));
    EXPECT_EQ(message.size, given_up_size(served_size(command_kind::lean_half, *stored), 6, 15));
}

TEST_F(served_records, an_undecided_half_is_shown_to_its_producer_as_it_is) {
    write(command_kind::lean_half);
    auto record = served_record::of(draft_.bytes(), offset_, {});
    ASSERT_TRUE(record.ok());
    record->add_property(protocol::property::transaction_check_times, "1");
    copy_.resize(record->size());
    record->write(queue_offset{640}, copy_.data());
    const auto message = protocol::decode_stored_message(copy_);
    ASSERT_TRUE(message.ok());
    EXPECT_EQ(message->stored, written);
    EXPECT_EQ(message->sys_flag, sys_flag::compressed | sys_flag::transaction_prepared);
    EXPECT_EQ(message->property("REAL_TOPIC"), "orders");
    EXPECT_EQ(message->property("TRANSACTION_CHECK_TIMES"), "1");
}

TEST_F(served_records, a_place_where_no_record_is_is_told) {
    write(command_kind::lean_half);
    for (const auto offset :
         {std::size_t{0}, std::size_t{80}, draft_.bytes().size() - 1, std::size_t{1} << 40U})
        EXPECT_FALSE(served_record::of(draft_.bytes(), offset, {}).ok()) << offset;
}

} // namespace
} // namespace holdfast::broker
