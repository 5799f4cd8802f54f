#include "broker/field_codec.hpp"
#include "broker/records.hpp"
#include "broker/snapshot.hpp"
#include "broker/state.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace holdfast::broker {
namespace {

topic_config sample_topic() {
    topic_config topic;
    topic.name = "orders";
    topic.id = topic_id{9};
    topic.read_queues = 3;
    topic.write_queues = 5;
    topic.permissions = permission::read;
    topic.sys_flag = 2;
    topic.order = true;
    topic.multi_tags = true;
    return topic;
}

group_config sample_group() {
    group_config group;
    group.name = "workers";
    group.consume_enable = false;
    group.consume_from_min_enable = true;
    group.consume_broadcast_enable = false;
    group.notify_consumer_ids_changed = true;
    group.retry_queues = 4;
    group.retry_max_times = 99;
    group.broker_id = -1;
    group.which_broker_when_slow = 7;
    return group;
}

// Every proper prefix must be refused, with an error and not with a crash.
template <class Decode>
void expect_prefixes_refused(const std::string& bytes, Decode decode) {
    ASSERT_TRUE(decode(as_bytes(bytes)).ok());
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        const auto outcome = decode(as_bytes(bytes).first(size));
        ASSERT_FALSE(outcome.ok()) << size;
        EXPECT_EQ(outcome.failure().code, errc::corrupted) << size;
    }
    auto later_version = bytes;
    ++later_version[0];
    EXPECT_FALSE(decode(as_bytes(later_version)).ok());
}

TEST(field_codec, reads_what_was_written_and_zeros_after_the_end) {
    const auto text = field_writer{}
                          .put(std::uint8_t{1})
                          .put_text("abc")
                          .put(std::int64_t{-5})
                          .put(std::uint32_t{0xFFFFFFFF})
                          .take();
    EXPECT_EQ(text.size(), 1U + 2 + 3 + 8 + 4);
    field_reader in{as_bytes(text)};
    EXPECT_EQ(in.take<std::uint8_t>(), 1);
    EXPECT_EQ(in.take_text(), "abc");
    EXPECT_EQ(in.take<std::int64_t>(), -5);
    EXPECT_EQ(in.take<std::uint32_t>(), 0xFFFFFFFF);
    EXPECT_TRUE(in.ok());
    EXPECT_EQ(in.take<std::uint16_t>(), 0);
    EXPECT_FALSE(in.ok());
    EXPECT_EQ(in.take_text(), "");
}

TEST(field_codec, a_text_longer_than_what_is_left_reads_as_nothing) {
    field_reader in{as_bytes(std::string_view{"\xFF\xFF"
                                              "abc"})};
    EXPECT_EQ(in.take_text(), "");
    EXPECT_FALSE(in.ok());
    EXPECT_EQ(in.remaining(), 0U);
}

TEST(records, a_topic_comes_back) {
    const auto bytes = encode(sample_topic());
    const auto decoded = decode_topic_config(as_bytes(bytes));
    ASSERT_TRUE(decoded.ok());
    EXPECT_EQ(*decoded, sample_topic());
    EXPECT_EQ(*decode_topic_config(as_bytes(encode(topic_config{}))), topic_config{});
    expect_prefixes_refused(bytes, decode_topic_config);
}

TEST(records, a_group_comes_back_whatever_its_switches) {
    const auto bytes = encode(sample_group());
    expect_prefixes_refused(bytes, decode_group_config);
    for (unsigned switches = 0; switches < 16; ++switches) {
        auto group = sample_group();
        group.consume_enable = (switches & 1U) != 0;
        group.consume_from_min_enable = (switches & 2U) != 0;
        group.consume_broadcast_enable = (switches & 4U) != 0;
        group.notify_consumer_ids_changed = (switches & 8U) != 0;
        const auto decoded = decode_group_config(as_bytes(encode(group)));
        ASSERT_TRUE(decoded.ok());
        EXPECT_EQ(*decoded, group);
    }
}

TEST(records, commits_of_offsets_come_back) {
    const std::vector<offset_commit> commits{
        {"a", {topic_id{1}, queue_number{2}}, queue_offset{3}},
        {"", {topic_id{0xFFFFFFFF}, queue_number{0}}, queue_offset{0x7FFFFFFFFFFFFFFF}}};
    const auto bytes = encode(commits);
    const auto decoded = decode_offset_commits(as_bytes(bytes));
    ASSERT_TRUE(decoded.ok());
    EXPECT_EQ(*decoded, commits);
    EXPECT_TRUE(decode_offset_commits(as_bytes(encode(std::vector<offset_commit>{})))->empty());
    expect_prefixes_refused(bytes, decode_offset_commits);
}

// A count is believed only as far as the bytes behind it go: no gigabytes for five bytes.
TEST(records, an_invented_count_allocates_nothing) {
    const auto bytes = field_writer{}.put(std::uint8_t{1}).put(std::uint32_t{0xFFFFFFFF}).take();
    EXPECT_FALSE(decode_offset_commits(as_bytes(bytes)).ok());
}

state sample_state() {
    state sample;
    sample.restore_topic(sample_topic());
    sample.restore_group(sample_group());
    sample.restore_offset({"workers", {topic_id{9}, queue_number{1}}, queue_offset{42}});
    sample.restore_queue({topic_id{9}, queue_number{1}}, queue_offset{10}, queue_offset{50});
    sample.restore_next_topic_id(topic_id{12});
    return sample;
}

TEST(snapshot, comes_back) {
    const auto bytes = encode_snapshot(sample_state(), log_position{4096}, log_position{8192},
                                       {{{topic_id{9}, queue_number{1}}, queue_offset{30}}});
    const auto decoded = decode_snapshot(as_bytes(bytes));
    ASSERT_TRUE(decoded.ok());
    EXPECT_EQ(decoded->first, log_position{4096});
    EXPECT_EQ(decoded->as_of, log_position{8192});
    EXPECT_EQ(decoded->next_topic, topic_id{12});
    EXPECT_EQ(decoded->topics, std::vector{sample_topic()});
    EXPECT_EQ(decoded->groups, std::vector{sample_group()});
    ASSERT_EQ(decoded->offsets.size(), 1U);
    EXPECT_EQ(decoded->offsets[0].next, queue_offset{42});
    ASSERT_EQ(decoded->firsts.size(), 1U);
    EXPECT_EQ(decoded->firsts[0].second, queue_offset{30});
    ASSERT_EQ(decoded->nexts.size(), 1U);
    EXPECT_EQ(decoded->nexts[0].second, queue_offset{50});
}

TEST(snapshot, every_cut_and_any_excess_is_refused) {
    const auto bytes = encode_snapshot(sample_state(), log_position{64}, log_position{128},
                                       {{{topic_id{9}, queue_number{1}}, queue_offset{30}}});
    expect_prefixes_refused(bytes, decode_snapshot);
    EXPECT_FALSE(decode_snapshot(as_bytes(bytes + '\0')).ok());
}

TEST(snapshot, any_one_damaged_byte_is_read_or_refused_without_harm) {
    const auto bytes = encode_snapshot(sample_state(), log_position{64}, log_position{128}, {});
    std::size_t refused = 0;
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        auto damaged = bytes;
        damaged[at] = static_cast<char>(damaged[at] ^ 0x80);
        refused += decode_snapshot(as_bytes(damaged)).ok() ? 0U : 1U;
    }
    EXPECT_GT(refused, 0U);
}

} // namespace
} // namespace holdfast::broker
