#include "protocol/stored_message.hpp"
#include "tests/protocol/protocol_helpers.hpp"

#include <gtest/gtest.h>

namespace holdfast::protocol {
namespace {

std::string record_of(const stored_message& message) {
    std::string bytes(message.size(), '\0');
    write_stored_message(reinterpret_cast<std::byte*>(bytes.data()), message);
    return bytes;
}

std::byte* bytes_of(std::string& record) {
    return reinterpret_cast<std::byte*>(record.data());
}

stored_message simple_message() {
    stored_message message;
    message.topic = "Topic";
    message.body = as_bytes("body");
    message.properties = "a\x01"
                         "b";
    return message;
}

TEST(StoredMessage, RoundTrip) {
    random_source random{11};
    for (int round = 0; round < 3000; ++round) {
        const std::string body = random.text(50);
        const std::string topic = random.plain(126) + "T";
        const std::string properties = random.plain(50);
        const std::string more = random.plain(10);
        stored_message message;
        message.queue = queue_number{static_cast<std::uint32_t>(random.between(0, INT32_MAX))};
        message.flag = random.int32();
        message.offset = queue_offset{random.between(INT64_MIN, INT64_MAX)};
        message.position = log_position{static_cast<std::uint64_t>(random.between(0, INT64_MAX))};
        message.sys_flag = random.int32();
        message.born = timestamp_ms{random.between(0, INT64_MAX)};
        message.born_host = {static_cast<std::uint32_t>(random.int32()), random.int32()};
        message.stored = timestamp_ms{random.between(0, INT64_MAX)};
        message.store_host = {static_cast<std::uint32_t>(random.int32()), random.int32()};
        message.reconsume_times = random.int32();
        message.prepared_transaction = log_position{static_cast<std::uint64_t>(random.between(0, INT64_MAX))};
        message.body = as_bytes(body);
        message.topic = topic;
        message.properties = properties;
        message.more_properties = more;
        ASSERT_TRUE(message.check());

        const std::string record = record_of(message);
        const auto view = decode_stored_message(as_bytes(record));
        ASSERT_TRUE(view) << view.failure();
        EXPECT_EQ(view->size, record.size());
        EXPECT_EQ(view->queue_id, static_cast<std::int32_t>(message.queue.value()));
        EXPECT_EQ(view->flag, message.flag);
        EXPECT_EQ(view->offset, message.offset);
        EXPECT_EQ(view->physical_offset, static_cast<std::int64_t>(message.position.value()));
        EXPECT_EQ(view->sys_flag, message.sys_flag & ~0x30); // T13: never IPv6
        EXPECT_EQ(view->born, message.born);
        EXPECT_EQ(view->born_host.to_ipv4(), message.born_host);
        EXPECT_EQ(view->stored, message.stored);
        EXPECT_EQ(view->store_host.to_ipv4(), message.store_host);
        EXPECT_EQ(view->reconsume_times, message.reconsume_times);
        EXPECT_EQ(as_text(view->body), body);
        EXPECT_EQ(view->topic, topic);
        const bool separated = !properties.empty() && !more.empty();
        EXPECT_EQ(view->properties, properties + (separated ? "\x02" : "") + more);
        EXPECT_TRUE(view->body_is_intact());
        ASSERT_FALSE(HasFailure()) << round;
    }
}

TEST(StoredMessage, PatchesChangeOneFieldEach) {
    std::string record = record_of(simple_message());
    const std::string before = record;
    patch_queue_id(bytes_of(record), queue_number{9});
    patch_queue_offset(bytes_of(record), queue_offset{-1});
    patch_physical_offset(bytes_of(record), log_position{1ULL << 40U});
    patch_sys_flag(bytes_of(record), sys_flag::transaction_commit);
    patch_store_timestamp(bytes_of(record), timestamp_ms{77});
    patch_store_host(bytes_of(record), {.address = 0x01020304, .port = 5});
    patch_reconsume_times(bytes_of(record), 3);
    patch_prepared_transaction(bytes_of(record), log_position{12});
    const auto view = decode_stored_message(as_bytes(record));
    ASSERT_TRUE(view);
    EXPECT_EQ(view->queue_id, 9);
    EXPECT_EQ(view->offset, queue_offset{-1});
    EXPECT_EQ(view->physical_offset, 1LL << 40U);
    EXPECT_EQ(view->sys_flag, 8);
    EXPECT_EQ(view->stored, timestamp_ms{77});
    EXPECT_EQ(to_string(view->store_host.to_ipv4()), "1.2.3.4:5");
    EXPECT_EQ(view->reconsume_times, 3);
    EXPECT_EQ(view->prepared_transaction_offset, 12);
    EXPECT_EQ(record.substr(stored_message_at::body_length), before.substr(stored_message_at::body_length));
    EXPECT_EQ(record.substr(0, stored_message_at::queue_id), before.substr(0, stored_message_at::queue_id));
    EXPECT_EQ(record.substr(stored_message_at::born_timestamp, 16),
              before.substr(stored_message_at::born_timestamp, 16));
}

TEST(StoredMessage, SeparatorIsInsertedOnlyWhereItIsMissing) {
    stored_message message = simple_message();
    message.more_properties = "CLUSTER\x01"
                              "c\x02";
    EXPECT_EQ(decode_stored_message(as_bytes(record_of(message)))->properties.size(), 3 + 1 + 10);
    message.properties = "a\x01"
                         "b\x02";
    EXPECT_EQ(decode_stored_message(as_bytes(record_of(message)))->properties.size(), 4 + 10);
    message.properties = "";
    EXPECT_EQ(decode_stored_message(as_bytes(record_of(message)))->properties.size(), 10);
}

TEST(StoredMessage, T20ChecksTheWholeProperties) {
    stored_message message = simple_message();
    const std::string properties(32760, 'x');
    message.properties = properties;
    EXPECT_TRUE(message.check());
    message.more_properties = "abcdef"; // and a separator: 32767
    EXPECT_TRUE(message.check());
    EXPECT_TRUE(decode_stored_message(as_bytes(record_of(message))));
    message.more_properties = "abcdefg";
    ASSERT_FALSE(message.check());
    EXPECT_EQ(message.check().failure().code, errc::too_large);
}

TEST(StoredMessage, TopicSizeIsChecked) {
    stored_message message = simple_message();
    message.topic = "";
    EXPECT_FALSE(message.check());
    const std::string longest(127, 't');
    message.topic = longest;
    EXPECT_TRUE(message.check());
    const std::string too_long(128, 't');
    message.topic = too_long;
    EXPECT_FALSE(message.check());
}

// A v2 record (5.x) with two IPv6 hosts, put together by hand.
std::string ipv6_record() {
    return from_hex("0000007c daa320ab 00000000 00000001 00000000 0000000000000003 0000000000000004 00000030 "
                    "0000000000000005 00000000000000000000ffff0a000001 000010e1 0000000000000006 "
                    "00000000000000000000000000000001 00002a9f 00000007 0000000000000000 00000002 6869 "
                    "0004 546f7031 0000");
}

TEST(StoredMessage, T13Ipv6HostsAndTheV2MagicAreRead) {
    std::string record = ipv6_record();
    record[3] = static_cast<char>(record.size());
    const auto view = decode_stored_message(as_bytes(record));
    ASSERT_TRUE(view) << view.failure();
    EXPECT_TRUE(view->born_host.is_ipv6);
    EXPECT_EQ(to_string(view->born_host.to_ipv4()), "10.0.0.1:4321");
    EXPECT_EQ(to_string(view->store_host.to_ipv4()), "127.0.0.1:10911");
    EXPECT_EQ(view->topic, "Top1");
    EXPECT_EQ(as_text(view->body), "hi");
    EXPECT_FALSE(view->body_is_intact());
}

TEST(StoredMessage, ReaderWalksConcatenatedRecords) {
    stored_message message = simple_message();
    std::string records;
    for (std::int64_t i = 0; i < 5; ++i) {
        message.offset = queue_offset{i};
        records += record_of(message);
    }
    stored_message_reader reader{as_bytes(records)};
    std::int64_t expected = 0;
    while (const auto next = reader.next()) {
        ASSERT_TRUE(*next);
        EXPECT_EQ((*next)->offset, queue_offset{expected++});
    }
    EXPECT_EQ(expected, 5);

    stored_message_reader broken{as_bytes(records).first(records.size() - 1)};
    int good = 0;
    int bad = 0;
    while (const auto next = broken.next())
        ++(*next ? good : bad);
    EXPECT_EQ(good, 4);
    EXPECT_EQ(bad, 1);
}

TEST(StoredMessage, EveryTruncationAndWrongSizeIsRefused) {
    std::string record = record_of(simple_message());
    for (std::size_t size = 0; size < record.size(); ++size)
        EXPECT_FALSE(decode_stored_message(as_bytes(record).first(size))) << size;
    for (const int wrong :
         {0, 90, static_cast<int>(record.size()) - 1, static_cast<int>(record.size()) + 1, -1}) {
        store_big(bytes_of(record), wrong);
        record.push_back('\0');
        EXPECT_FALSE(decode_stored_message(as_bytes(record))) << wrong;
        record.pop_back();
    }
}

TEST(StoredMessage, FillersAndOtherMagicsAreRefused) {
    std::string record = record_of(simple_message());
    store_big(bytes_of(record) + stored_message_at::magic, std::uint32_t{0xCBD43194});
    const auto view = decode_stored_message(as_bytes(record));
    ASSERT_FALSE(view);
    EXPECT_EQ(view.failure().code, errc::malformed);
}

} // namespace
} // namespace holdfast::protocol
