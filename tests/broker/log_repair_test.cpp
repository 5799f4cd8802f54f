#include "broker/log_repair.hpp"

#include "tests/storage/rotten_log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace holdfast::broker {
namespace {

using namespace std::chrono_literals;
using storage::testing::segment_size;
using ::testing::HasSubstr;

// The same log on another node.
class healthy_peer {
  public:
    healthy_peer(const std::vector<std::vector<std::byte>>& files,
                 const storage::recovery_options& recovery) {
        EXPECT_TRUE(disk_.create_directories(storage::testing::directory).ok());
        for (std::size_t number = 0; number < files.size(); ++number) {
            const auto name =
                storage::testing::directory / storage::segment_file_name(log_position{number * segment_size});
            auto file = disk_.open(name, storage::open_mode::create);
            EXPECT_TRUE(file.ok() && (*file)->write(0, files[number]).ok() && (*file)->sync_data().ok());
        }
        storage::log_options options;
        options.recovery = recovery;
        options.cache_bytes = 10'000;
        auto log = storage::log_store::open(disk_, storage::path{"/store"}, options);
        EXPECT_TRUE(log.ok()) << log.failure();
        log_ = std::move(*log);
    }

    log_bytes_found answer(const log_bytes_request& request) {
        return find_log_bytes(log_->reader(), log_->segments(), request);
    }
    void rot(log_position position) {
        const log_position first{align_down(position.value(), segment_size)};
        disk_.flip_bit(storage::testing::directory / storage::segment_file_name(first), position - first, 2);
    }

  private:
    storage::simulated_disk disk_{{}};
    std::unique_ptr<storage::log_store> log_;
};

// Time passes only where nobody answers.
class log_repair_test : public storage::testing::rotten_log {
  protected:
    void SetUp() override {
        for (const auto* name : {"b", "c"})
            peers_.emplace(name, std::make_unique<healthy_peer>(whole_, options_));
        settings_.peers = {"b", "c"};
    }

    using answering =
        std::function<std::optional<log_bytes_found>(const std::string&, const log_bytes_request&)>;
    repair_end repair(const answering& answer) {
        open();
        log_repair repairing{*segments_, settings_};
        const auto all = segments_->allocated_until();
        auto effects = repairing.begin({{segments_->first(), all, options_.durable_until}, all}, now_);
        for (;;) {
            done_.insert(done_.end(), effects.done.begin(), effects.done.end());
            if (effects.end) {
                EXPECT_FALSE(repairing.is_active());
                return *effects.end;
            }
            if (questions_.size() > 5'000)
                return {repair_result::unrepaired, "it does not end"};
            if (!effects.ask) {
                now_ += 50ms;
                effects = repairing.ticked(now_);
                continue;
            }
            const auto question = *effects.ask;
            questions_.push_back(question.to);
            const auto said = answer(question.to, question.what);
            effects = {};
            if (said)
                effects = repairing.answered(question.to, said->answer, joined(said->bytes), now_);
        }
    }
    repair_end repair() {
        return repair([this](const std::string& to, const log_bytes_request& request) {
            return std::optional{peers_.at(to)->answer(request)};
        });
    }
    static std::vector<std::byte> joined(const std::vector<shared_bytes>& slices) {
        std::vector<std::byte> all;
        for (const auto& slice : slices)
            all.insert(all.end(), slice.view().begin(), slice.view().end());
        return all;
    }
    void expect_repaired(const repair_end& end) {
        EXPECT_EQ(end.result, repair_result::sound) << end.words;
        expect_whole();
    }

    std::map<std::string, std::unique_ptr<healthy_peer>> peers_;
    repair_settings settings_;
    steady_ms now_{1'000};
    std::vector<std::string> questions_; // whom
    std::vector<repair_effects::mended> done_;
};

INSTANTIATE_TEST_SUITE_P(modes, log_repair_test, ::testing::Values(storage::write_mode::direct),
                         [](const auto&) { return std::string{"direct"}; });

TEST_P(log_repair_test, a_sound_log_asks_nobody) {
    expect_repaired(repair());
    EXPECT_TRUE(questions_.empty());
}

TEST_P(log_repair_test, all_places_are_put_right_and_it_is_said_which_and_by_whom) {
    for (const auto position : {5'000U, 70'000U, 160'000U})
        flip(entry(index_at(log_position{position})).position + 80);
    expect_repaired(repair());
    ASSERT_EQ(done_.size(), 3U);
    const auto first = entry(index_at(log_position{5'000}));
    EXPECT_EQ(done_[0].where.first, first.position);
    EXPECT_EQ(done_[0].where.last, first.next());
    EXPECT_EQ(done_[0].from, "b");
    EXPECT_EQ(questions_, (std::vector<std::string>{"b", "b", "b"}));
}

TEST_P(log_repair_test, a_whole_segment_comes_back) {
    settings_.most_kept = 9'000;
    spoil(log_position{segment_size}, log_position{2 * segment_size});
    expect_repaired(repair());
    EXPECT_GT(done_.size(), 5U);
}

TEST_P(log_repair_test, who_has_the_same_place_rotten_says_so_and_the_next_one_is_asked) {
    const auto victim = entry(middle());
    flip(victim.position + 80);
    peers_.at("b")->rot(victim.position + 90);
    expect_repaired(repair());
    ASSERT_EQ(done_.size(), 1U);
    EXPECT_EQ(done_[0].from, "c");
}

TEST_P(log_repair_test, what_two_have_rotten_in_different_places_they_have_together) {
    const auto first = entry(middle());
    const auto second = entry(middle() + 6);
    flip(first.position + 80);
    flip(second.position + 80);
    peers_.at("b")->rot(first.position + 90);
    peers_.at("c")->rot(second.position + 90);
    expect_repaired(repair());
    ASSERT_EQ(done_.size(), 2U);
    EXPECT_EQ(done_[0].from, "c");
    EXPECT_EQ(done_[1].from, "b");
}

TEST_P(log_repair_test, a_liar_is_refuted_and_the_next_one_is_asked) {
    flip(entry(middle()).position + 80);
    expect_repaired(repair([this](const std::string& to, const log_bytes_request& request) {
        auto found = peers_.at(to)->answer(request);
        if (to == "b")
            found.bytes = {shared_bytes::copy_of(std::vector<std::byte>(500, std::byte{0x5a}))};
        return std::optional{std::move(found)};
    }));
    EXPECT_EQ(done_.at(0).from, "c");
}

TEST_P(log_repair_test, who_does_not_answer_is_waited_for_and_left) {
    flip(entry(middle()).position + 80);
    const auto began = now_;
    expect_repaired(repair([this](const std::string& to, const log_bytes_request& request) {
        return to == "b" ? std::nullopt : std::optional{peers_.at(to)->answer(request)};
    }));
    EXPECT_GE(now_ - began, settings_.answer_timeout);
    EXPECT_LT(now_ - began, 2 * settings_.answer_timeout);
}

TEST_P(log_repair_test, who_stops_in_the_middle_leaves_nothing_half_done) {
    settings_.most_kept = 9'000;
    spoil(log_position{segment_size}, log_position{2 * segment_size});
    std::size_t answers = 0;
    expect_repaired(repair([&](const std::string& to, const log_bytes_request& request) {
        auto found = peers_.at(to)->answer(request);
        found.bytes.resize(1); // so that it takes many
        if (to == "b" && ++answers % 20 == 0)
            return std::optional<log_bytes_found>{};
        return std::optional{std::move(found)};
    }));
}

TEST_P(log_repair_test, nobody_reachable_is_given_up_after_a_while_and_changes_nothing) {
    const auto victim = entry(middle());
    flip(victim.position + 80);
    const auto before = contents();
    const auto began = now_;
    const auto end =
        repair([](const std::string&, const log_bytes_request&) { return std::optional<log_bytes_found>{}; });
    EXPECT_EQ(end.result, repair_result::unrepaired);
    EXPECT_THAT(end.words, HasSubstr("log position " + std::to_string(victim.position.value())));
    EXPECT_THAT(end.words, HasSubstr("b: it does not answer; c: it does not answer"));
    EXPECT_GE(now_ - began, settings_.patience);
    EXPECT_LT(now_ - began, settings_.patience + 10s);
    EXPECT_EQ(contents(), before);
}

TEST_P(log_repair_test, when_all_have_answered_and_none_can_help_it_ends_at_once) {
    const auto victim = entry(middle());
    flip(victim.position + 80);
    for (const auto* name : {"b", "c"})
        peers_.at(name)->rot(victim.position + 90);
    const auto began = now_;
    const auto end = repair();
    EXPECT_EQ(end.result, repair_result::unrepaired);
    EXPECT_THAT(end.words, HasSubstr("b: "));
    EXPECT_EQ(now_, began);
    EXPECT_EQ(questions_.size(), 2U);
}

TEST_P(log_repair_test, rot_with_nothing_behind_it_asks_nobody) {
    const auto last = sample_.entries().back().header;
    flip(last.position + 70);
    options_.durable_until = last.next();
    const auto end = repair();
    EXPECT_EQ(end.result, repair_result::unrepaired);
    EXPECT_THAT(end.words, HasSubstr("nothing can prove"));
    EXPECT_TRUE(questions_.empty());
}

TEST_P(log_repair_test, a_disk_that_does_not_take_it_is_an_end) {
    flip(entry(middle()).position + 80);
    disk_->fail_sync_after(0);
    EXPECT_EQ(repair().result, repair_result::disk_failed);
}

TEST_P(log_repair_test, late_and_foreign_answers_count_for_nothing) {
    flip(entry(middle()).position + 80);
    open();
    log_repair repairing{*segments_, settings_};
    const auto all = segments_->allocated_until();
    const auto asked = repairing.begin({{{}, all, {}}, all}, now_).ask;
    ASSERT_TRUE(asked.has_value());
    const auto right = peers_.at("b")->answer(asked->what);
    EXPECT_TRUE(repairing.answered("c", right.answer, joined(right.bytes), now_).done.empty());
    EXPECT_TRUE(repairing.answered("b", {asked->what.id + 1, {}}, joined(right.bytes), now_).done.empty());
    const auto next = repairing.not_sent(now_).ask;
    ASSERT_TRUE(next.has_value());
    EXPECT_EQ(next->to, "c");
    EXPECT_TRUE(repairing.answered("b", right.answer, joined(right.bytes), now_).done.empty()) << "too late";
    // Nobody is left; as soon as one is found it is asked.
    EXPECT_FALSE(repairing.not_sent(now_).ask.has_value());
    const auto again = repairing.peer_found(now_).ask;
    ASSERT_TRUE(again.has_value());
    const auto said = peers_.at(again->to)->answer(again->what);
    const auto done = repairing.answered(again->to, said.answer, joined(said.bytes), now_);
    ASSERT_TRUE(done.end.has_value());
    expect_repaired(*done.end);
}

} // namespace
} // namespace holdfast::broker
