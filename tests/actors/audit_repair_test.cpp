// The audit of the key index and of a log without its beginning; and the repair.
#include "actors/repair_derived.hpp"
#include "tests/actors/audit_fixture.hpp"

namespace holdfast::actors {
namespace {

using broker::audit_part;
using broker::audit_report;
using ::testing::AllOf;
using ::testing::HasSubstr;

// --- the key index ---

class key_audit_test : public testing::audit_fixture {
  protected:
    template <class Change>
    void index_again(Change change) {
        std::filesystem::remove_all(data_.path() / "keys");
        data_.index_keys(change);
        data_.stop();
    }
};

TEST_F(key_audit_test, a_missing_key_is_named) {
    const auto record = data_.send("orders", 0);
    data_.checkpoint();
    index_again(
        [&](auto& keys) { std::erase_if(keys, [&](const auto& key) { return key.position == record; }); });
    const auto report = audited();
    EXPECT_EQ(report.problem_count, 2U);
    EXPECT_THAT(told(report), AllOf(HasSubstr(position_of(record)),
                                    HasSubstr("topic orders there can't be found by its key orders-135"),
                                    HasSubstr("by its key shared")));
    EXPECT_EQ(report.problems.front().part, audit_part::key_index);
}

TEST_F(key_audit_test, a_key_that_no_record_has_is_named) {
    index_again([&](auto& keys) { keys.push_back({1234, log_position{640}, timestamp_ms{0}}); });
    expect_told(audit_part::key_index, AllOf(HasSubstr("@640"), HasSubstr("1 of its entries name a key")));
}

TEST_F(key_audit_test, all_keys_missing_are_counted) {
    index_again([](auto& keys) { keys.clear(); });
    const auto report = audited();
    EXPECT_FALSE(report.clean());
    EXPECT_THAT(told(report), HasSubstr("more keys are missing"));
    EXPECT_LT(report.problem_count, 25U);
}

// --- retention ---

class trimmed_audit_test : public testing::audit_fixture {
  protected:
    void SetUp() override {
        audit_fixture::SetUp();
        data_.trim_at(log_position{64U << 10U});
        data_.send("orders", 0, 60);
        data_.commit_offset("readers", "orders", 60);
    }
};

TEST_F(trimmed_audit_test, a_log_without_its_beginning_is_clean) {
    data_.checkpoint();
    data_.stop();
    const auto report = audited();
    EXPECT_TRUE(report.clean()) << told(report);
    EXPECT_THAT(report.notes, ::testing::IsEmpty());
    EXPECT_EQ(report.first, log_position{64U << 10U});
    EXPECT_EQ(report.offsets, 1U);
    EXPECT_GT(report.index_entries, 60U);
}

TEST_F(trimmed_audit_test, what_was_trimmed_after_the_last_checkpoint_is_noted) {
    data_.stop();
    const auto report = audited();
    EXPECT_TRUE(report.clean()) << told(report);
    EXPECT_THAT(report.notes, ::testing::ElementsAre(HasSubstr("not compared")));
}

TEST_F(trimmed_audit_test, a_changed_index_entry_is_still_named) {
    const auto queue = data_.queue_of("orders", 0);
    const auto last = data_.state().next_offset(queue).value() - 1;
    data_.checkpoint();
    data_.stop();
    data_.tamper([&](const auto& store, auto& batch) {
        auto run = run_at(store, queue, last);
        run.entries.back().tags_hash = 5;
        put_run(batch, queue, run);
    });
    expect_told(audit_part::derived_store, HasSubstr("offset " + std::to_string(last)));
}

TEST_F(trimmed_audit_test, a_segment_removed_by_hand_is_named) {
    data_.checkpoint();
    data_.stop();
    std::filesystem::remove(data_.segment(log_position{64U << 10U}));
    expect_told(audit_part::log, HasSubstr("removed by hand"));
}

// --- the repair ---

class repair_test : public testing::audit_fixture {};

TEST_F(repair_test, a_repair_builds_everything_derived_again) {
    data_.send("orders", 0, 3);
    const auto last_entry = data_.last_entry();
    data_.stop();
    data_.tamper([](const auto&, auto& batch) {
        for (const char prefix : {'q', 'o', 'h', 'd', 'y'})
            batch.remove_range(std::string(1, prefix), std::string(1, static_cast<char>(prefix + 1)));
    });
    std::filesystem::remove_all(data_.path() / "keys");
    ASSERT_FALSE(audited().clean());
    const auto repaired = repair_derived(data_.path());
    ASSERT_TRUE(repaired.ok()) << repaired.failure();
    expect_clean();
    // That the last entry is committed is for the node to find out when it leads.
    EXPECT_EQ(audited().applied, last_entry);
    EXPECT_EQ(audited().keys, 2 * 137U);
}

TEST_F(trimmed_audit_test, a_repair_starts_from_the_snapshot) {
    data_.checkpoint();
    data_.stop();
    std::filesystem::remove_all(data_.path() / "derived");
    ASSERT_TRUE(repair_derived(data_.path()).ok());
    const auto report = audited();
    EXPECT_TRUE(report.clean()) << told(report);
    EXPECT_TRUE(report.store_compared);
}

TEST_F(repair_test, a_repair_is_refused_while_a_node_runs) {
    const auto repaired = repair_derived(data_.path());
    ASSERT_FALSE(repaired.ok());
    EXPECT_EQ(repaired.failure().code, errc::unavailable);
    EXPECT_TRUE(std::filesystem::exists(data_.path() / "derived" / "CURRENT"));
}

} // namespace
} // namespace holdfast::actors
