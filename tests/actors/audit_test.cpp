// The audit of real data directories: whole ones are clean, and whatever is taken away from the log or
// changed in the derived store is found and named.
#include "tests/actors/audit_fixture.hpp"

namespace holdfast::actors {
namespace {

using broker::audit_part;
using broker::audit_report;
using ::testing::AllOf;
using ::testing::HasSubstr;

class audit_test : public testing::audit_fixture {};

TEST_F(audit_test, a_whole_directory_is_clean_and_counted) {
    data_.stop();
    const auto report = audited();
    EXPECT_TRUE(report.clean()) << told(report);
    EXPECT_THAT(report.notes, ::testing::IsEmpty());
    EXPECT_EQ(report.first, log_position{0});
    EXPECT_EQ(report.end, applied_);
    EXPECT_EQ(report.applied, applied_);
    EXPECT_EQ(report.segments, 3U);
    EXPECT_EQ(report.records, 134U);
    EXPECT_EQ(report.topics, 1U);
    EXPECT_EQ(report.groups, 1U);
    EXPECT_EQ(report.offsets, 1U);
    EXPECT_EQ(report.queues, 2U);
    EXPECT_EQ(report.index_entries, 100U + 20U + 2U + 5U);
    EXPECT_EQ(report.halves, 1U);
    EXPECT_EQ(report.delayed, 1U);
    EXPECT_EQ(report.settled, 4U);
    EXPECT_EQ(report.keys, 2 * 134U);
}

TEST_F(audit_test, what_no_checkpoint_has_is_no_problem) {
    data_.send("orders", 0, 7);
    data_.stop();
    expect_clean();
    EXPECT_GT(audited().end, applied_);
}

TEST_F(audit_test, a_running_nodes_directory_is_audited_beside_it) {
    storage::posix_file_system files;
    ASSERT_EQ(files.lock(data_.native_path()).failure().code, errc::unavailable);
    data_.send("orders", 0, 7);
    const auto report = broker::audit(files, data_.native_path(), true);
    ASSERT_TRUE(report.ok()) << report.failure();
    EXPECT_TRUE(report->clean()) << told(*report);
    EXPECT_TRUE(report->store_compared);
}

TEST_F(audit_test, what_is_no_data_directory_is_refused) {
    storage::posix_file_system files;
    const auto report = broker::audit(files, storage::path{"/proc"}, false);
    ASSERT_FALSE(report.ok());
    EXPECT_EQ(report.failure().code, errc::not_found);
    EXPECT_THAT(report.failure().message, HasSubstr("storePathRootDir"));
}

// --- the log ---

TEST_F(audit_test, a_flipped_bit_in_a_record_is_named_and_the_rest_of_the_log_still_read) {
    const auto record = data_.send("orders", 0);
    data_.send("orders", 0, 3);
    data_.checkpoint();
    data_.stop();
    data_.flip(record + 500);
    const auto report = audited();
    EXPECT_EQ(report.problem_count, 1U) << told(report);
    EXPECT_TRUE(report.log_is_damaged());
    EXPECT_EQ(report.problems.front().file, data_.segment(record).string());
    EXPECT_EQ(*report.problems.front().position, record - 64 - 24) << "the entry's";
    EXPECT_THAT(told(report), AllOf(HasSubstr("checksum"), HasSubstr("acceptDataLoss=")));
    EXPECT_EQ(report.records, 134U + 3U);
}

TEST_F(audit_test, damage_in_the_last_entry_is_seen_when_it_was_checkpointed) {
    data_.stop();
    data_.flip(applied_ - 700);
    expect_told(audit_part::log, HasSubstr("was flushed"));
}

TEST_F(audit_test, a_batch_that_was_never_answered_is_no_problem) {
    data_.stop();
    data_.write(applied_, "a part of a batch");
    const auto report = audited();
    EXPECT_TRUE(report.clean()) << told(report);
    EXPECT_EQ(report.end, applied_);
    EXPECT_THAT(report.notes, ::testing::ElementsAre(HasSubstr("never answered")));
}

TEST_F(audit_test, a_missing_file_is_named) {
    data_.stop();
    std::filesystem::remove(data_.segment(log_position{64U << 10U}));
    expect_told(audit_part::log, HasSubstr("next segment begins at 131072"));
}

TEST_F(audit_test, a_record_that_was_written_wrong_is_named_although_its_entry_holds) {
    for (const auto place : {protocol::stored_message_at::body_crc, protocol::stored_message_at::queue_id}) {
        protocol::stored_message message;
        message.topic = "orders";
        message.body = as_bytes(std::string_view{"body"});
        broker::entry_draft draft;
        const auto at = draft.next_payload();
        const auto to = draft.add_message(data_.queue_of("orders", 0), 0, message.size());
        protocol::write_stored_message(to.data(), message);
        to[place] ^= std::byte{1};
        const auto record = data_.append(std::move(draft)) + at;
        const auto report = audited();
        ASSERT_FALSE(report.clean());
        EXPECT_EQ(report.problems.back().position, record);
        EXPECT_THAT(report.problems.back().advice, HasSubstr("written like this"));
    }
    broker::entry_draft draft;
    protocol::stored_message message;
    message.topic = "another";
    const auto to = draft.add_message(data_.queue_of("orders", 0), 0, message.size());
    protocol::write_stored_message(to.data(), message);
    data_.append(std::move(draft));
    EXPECT_THAT(told(audited()),
                AllOf(HasSubstr("bodyCRC"), HasSubstr("the queue is 16777216 in the record, not 0"),
                      HasSubstr("names the topic another")));
}

// --- the derived store ---

TEST_F(audit_test, a_changed_index_entry_is_named) {
    const auto queue = data_.queue_of("orders", 0);
    data_.stop();
    data_.tamper([&](const auto& store, auto& batch) {
        auto run = run_at(store, queue, 17);
        run.entries[17].position = run.entries[17].position + 8;
        put_run(batch, queue, run);
    });
    expect_told(audit_part::derived_store,
                AllOf(HasSubstr("topic orders, queue 0, offset 17"), HasSubstr("--repair-derived")));
    EXPECT_EQ(audited().problem_count, 1U);
}

TEST_F(audit_test, swapped_index_entries_are_named) {
    const auto queue = data_.queue_of("orders", 1);
    data_.stop();
    data_.tamper([&](const auto& store, auto& batch) {
        auto run = run_at(store, queue, 5);
        std::swap(run.entries[5], run.entries[6]);
        put_run(batch, queue, run);
    });
    expect_told(audit_part::derived_store,
                AllOf(HasSubstr("topic orders, queue 1, offset 5"), HasSubstr("and 1 more")));
}

TEST_F(audit_test, a_piece_of_index_that_is_missing_or_too_long_is_named) {
    const auto queue = data_.queue_of("orders", 0);
    data_.stop();
    data_.tamper([&](const auto& store, auto& batch) {
        auto run = run_at(store, queue, 17);
        run.entries.pop_back();
        put_run(batch, queue, run);
    });
    expect_told(audit_part::derived_store, HasSubstr("the index has nothing"));
    data_.tamper([&](const auto&, auto& batch) {
        put_run(batch, queue, {queue_offset{500}, {{log_position{64}, 10, 0}}});
        put_run(batch, {topic_id{77}, queue_number{0}}, {queue_offset{0}, {{log_position{64}, 10, 0}}});
    });
    expect_told(audit_part::derived_store,
                AllOf(HasSubstr("reaches to offset 501"), HasSubstr("topic id 77")));
}

TEST_F(audit_test, facts_that_differ_are_named) {
    data_.stop();
    data_.tamper([&](const auto& store, auto& batch) {
        broker::topic_config invented;
        invented.name = "invented";
        invented.id = topic_id{9};
        batch.put("tinvented", broker::encode(invented));
        batch.remove("greaders");
        for (const std::string prefix : {"l", "n", "o"})
            ASSERT_TRUE(store
                            .scan(prefix, storage::behind_prefix(prefix),
                                  [&](std::string_view key, std::string_view) {
                                      batch.put(key, std::string(8, '\1'));
                                      return true;
                                  })
                            .ok());
    });
    expect_told(
        audit_part::derived_store,
        AllOf(
            HasSubstr("a topic invented that the log does not have"),
            HasSubstr("the group readers is missing"),
            HasSubstr("group readers stands at 72340172838076673 in topic orders, queue 0, by the log at 42"),
            HasSubstr("topic orders, queue 0 ends at offset 72340172838076673"),
            HasSubstr("the lock of the group readers")));
}

TEST_F(audit_test, what_is_said_of_halves_and_delayed_messages_is_compared) {
    data_.stop();
    data_.tamper([&](const auto&, auto& batch) {
        for (const char prefix : {'h', 'y', 'd'})
            batch.remove_range(std::string(1, prefix), std::string(1, static_cast<char>(prefix + 1)));
    });
    expect_told(audit_part::derived_store,
                AllOf(HasSubstr(position_of(undecided_) + ": the undecided half is missing"),
                      HasSubstr(position_of(waiting_) + ": the delayed message neither waits nor"),
                      HasSubstr(position_of(committed_) +
                                ": by the log it was put into its queue at queue offset 100"),
                      HasSubstr(position_of(delivered_) + ": by the log it was put into its queue")));
}

TEST_F(audit_test, a_half_or_a_fate_that_the_log_does_not_know_is_named) {
    data_.stop();
    data_.tamper([&](const auto& store, auto& batch) {
        std::string half;
        ASSERT_TRUE(store
                        .scan("h", "i",
                              [&](std::string_view, std::string_view value) {
                                  half = value;
                                  return true;
                              })
                        .ok());
        std::string key{"h"};
        storage::append_big(key, std::uint64_t{4096});
        batch.put(key, half);
        storage::put_settled(batch,
                             {{log_position{200}, storage::record_fate::rolled_back, queue_offset{-1}}},
                             log_position{1});
        storage::delayed_message invented;
        invented.key = {timestamp_ms{1'900'000'000'000}, log_position{300}};
        batch.put(storage::delay_store_key(invented.key), storage::encode_delay_value(invented));
    });
    expect_told(audit_part::derived_store,
                AllOf(HasSubstr("@4096: the half counts as undecided"), HasSubstr("notes the end of 5"),
                      HasSubstr("1 delayed messages wait; the table has 2")));
}

TEST_F(audit_test, a_damaged_table_is_named) {
    data_.stop();
    std::filesystem::path table;
    for (const auto& file : std::filesystem::directory_iterator(data_.path() / "derived"))
        if (file.path().extension() == ".sst")
            table = std::max(table, file.path());
    {
        std::fstream stream{table, std::ios::in | std::ios::out | std::ios::binary};
        stream.seekp(20);
        stream.write("\xFF\x00\xFF\x00", 4);
    }
    expect_told(audit_part::derived_store,
                AllOf(HasSubstr(table.filename().string()), HasSubstr("--repair-derived")));
}

TEST_F(audit_test, a_store_of_another_log_is_named) {
    testing::data_directory other;
    other.put_topic("orders");
    other.checkpoint();
    other.stop();
    data_.stop();
    std::filesystem::remove_all(data_.path() / "derived");
    std::filesystem::copy(other.path() / "derived", data_.path() / "derived");
    expect_told(audit_part::derived_store, AllOf(HasSubstr(other.id()), HasSubstr(data_.id())));
}

TEST_F(audit_test, a_store_ahead_of_its_log_is_named) {
    data_.stop();
    {
        auto store = storage::derived_store::open(data_.path() / "derived", data_.id());
        ASSERT_TRUE((*store)->write({}, applied_ + 6400).ok());
        ASSERT_TRUE((*store)->flush().ok());
    }
    expect_told(audit_part::derived_store, HasSubstr("ahead of the log"));
}

TEST_F(audit_test, missing_stores_are_noted_because_a_start_builds_them) {
    data_.stop();
    std::filesystem::remove_all(data_.path() / "derived");
    std::filesystem::remove_all(data_.path() / "keys");
    const auto report = audited();
    EXPECT_TRUE(report.clean()) << told(report);
    EXPECT_FALSE(report.store_compared);
    EXPECT_THAT(report.notes,
                ::testing::ElementsAre(HasSubstr("no derived store"), HasSubstr("no key index")));
}

} // namespace
} // namespace holdfast::actors
