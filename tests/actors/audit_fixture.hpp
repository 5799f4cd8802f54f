// A data directory with something of everything in it, and what an audit says of it.
#pragma once

#include "broker/audit.hpp"
#include "storage/delay_index.hpp"
#include "storage/queue_index_run.hpp"
#include "tests/actors/data_directory.hpp"

#include <gmock/gmock.h>

namespace holdfast::actors::testing {

using broker::audit_part;
using broker::audit_report;

class audit_fixture : public ::testing::Test {
  protected:
    // Something of everything.
    void SetUp() override {
        data_.put_topic("orders");
        data_.put_topic("gone");
        data_.put_group("readers");
        data_.send("gone", 0, 3);
        data_.send("orders", 0, 100); // over two segments
        data_.send("orders", 1, 20);
        data_.commit_offset("readers", "orders", 42);
        data_.lock_queue("readers", "orders", "client-1");
        data_.delete_topic("gone");
        undecided_ = data_.prepare("orders", 0);
        committed_ = data_.prepare("orders", 0);
        const auto rolled_back = data_.prepare("orders", 1);
        delivered_ = data_.delay("orders", 0, 100);
        data_.delay("orders", 0, 2'000);
        waiting_ = data_.delay("orders", 1, 3'600'000);
        data_.decide(rolled_back, broker::decision_kind::rollback);
        data_.checkpoint();
        data_.decide(committed_, broker::decision_kind::commit);
        data_.pass_time(1'000);
        data_.deliver_until(timestamp_ms{1'700'000'001'000});
        data_.checkpoint();
        data_.cancel_first();
        data_.send("orders", 0, 5);
        data_.checkpoint();
        data_.index_keys();
        applied_ = data_.end();
    }

    audit_report audited() {
        storage::posix_file_system files;
        auto report = broker::audit(files, data_.native_path(), false);
        EXPECT_TRUE(report.ok()) << report.failure();
        return report.ok() ? std::move(*report) : audit_report{};
    }

    // Every problem as one text.
    static std::string told(const audit_report& report) {
        std::string text;
        for (const auto& problem : report.problems)
            text += problem.file + " @" +
                    (problem.position ? std::to_string(problem.position->value()) : std::string{"-"}) + ": " +
                    problem.what + " -> " + problem.advice + "\n";
        return text;
    }

    void expect_clean() {
        const auto report = audited();
        EXPECT_TRUE(report.clean()) << told(report);
        EXPECT_TRUE(report.store_compared);
        EXPECT_TRUE(report.keys_compared);
    }

    // One problem at least, the first in `part`, with these words.
    template <class Matcher>
    void expect_told(audit_part part, Matcher words) {
        const auto report = audited();
        ASSERT_FALSE(report.clean());
        EXPECT_EQ(report.problems.front().part, part);
        EXPECT_THAT(told(report), words);
    }

    // The run of a queue that holds `offset`, to be changed and put back.
    static storage::queue_index_run run_at(const storage::derived_store& store, queue_key queue,
                                           std::int64_t offset) {
        const auto found = storage::find_run(store, queue, queue_offset{offset});
        EXPECT_TRUE(found.ok() && *found);
        return **found;
    }
    static void put_run(storage::derived_batch& batch, queue_key queue, const storage::queue_index_run& run) {
        batch.put(storage::queue_run_key(queue, run.first), storage::encode_queue_run(run.entries));
    }

    static std::string position_of(log_position position) { return "@" + std::to_string(position.value()); }

    data_directory data_;
    log_position undecided_;
    log_position committed_;
    log_position delivered_;
    log_position waiting_;
    log_position applied_;
};

} // namespace holdfast::actors::testing
