// A node that lives through random sends, flushes, power cuts, failed syncs and restarts, a thousand times
// a second: nothing answered OK is lost, offsets are stable, a fenced node says nothing more. And the canary:
// the same stories on a disk whose syncs do nothing must be caught.
//
//   HOLDFAST_SIMULATION_SECONDS  how long both simulations hunt together (50); a fifth of it is this one's
//   HOLDFAST_SIMULATION_SEED     the first seed; printed
#include "storage/fault_file_system.hpp"
#include "tests/simulation/durability_checker.hpp"
#include "tests/storage/simulated_disk.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>

namespace holdfast::simulation {
namespace {

constexpr std::uint32_t most_topics = 3;
constexpr std::uint32_t queues = 2;

struct tally {
    std::uint64_t lives = 0;
    std::uint64_t answered = 0;
    std::uint64_t fenced = 0;
    std::uint64_t power_cuts = 0;
    std::uint64_t overtakings = 0; // flushes that ended before an older one
};

class node_story {
  public:
    node_story(std::uint64_t seed, bool ignore_syncs, tally& sums)
        : random_(seed),
          sums_(sums),
          disk_({seed, pick(2) == 0 ? 512U : 4096U, UINT64_MAX}),
          files_(disk_, {0, 0, ignore_syncs, "commitlog"}) {
        settings_.segment_size = (1 + pick(4)) * 16384;
        settings_.writes = pick(2) == 0 ? storage::write_mode::buffered : storage::write_mode::direct;
        settings_.sync = ignore_syncs || pick(4) != 0;
    }

    // What went wrong; empty = nothing.
    std::string run() {
        const auto lives = 2 + pick(4);
        for (std::uint64_t life = 0; life <= lives && problem_.empty(); ++life) {
            if (!start())
                break;
            problem_ = checker_.check(*node_);
            if (problem_.empty() && life < lives)
                live();
        }
        return problem_;
    }

  private:
    std::uint64_t pick(std::uint64_t below) { return random_() % below; }

    // Recovery may lose its power too, and must then find its way the next time.
    bool start() {
        ++sums_.lives;
        node_.reset();
        if (pick(6) == 0)
            derived_ = {}; // somebody deleted it
        if (pick(3) == 0)
            disk_.cut_power_after(pick(15));
        for (;;) {
            auto started = simulated_node::start(files_, settings_, derived_);
            // What is not known to be committed counts from when the leadership's first entry is on the disk.
            if (started.ok())
                (*started)->flush();
            const bool has_power = disk_.has_power();
            if (started.ok() && has_power && (*started)->replica().ready()) {
                node_ = *std::move(started);
                // A start ends with a checkpoint of all it has applied.
                derived_ = node_->checkpoint();
                topics_sent_ = static_cast<std::uint32_t>(node_->replica().current().topics().size());
                return true;
            }
            // A sync that fails under recovery ends this try; anything else is a refusal.
            if (!started.ok() && has_power && started.failure().code != errc::io_failed) {
                problem_ = "it does not start: " + started.failure().message;
                return false;
            }
            cut_power();
        }
    }

    void cut_power() {
        if (!settings_.sync)
            checker_.power_cut(durable_);
        disk_.crash();
        ++sums_.power_cuts;
    }

    void live() {
        switch (pick(4)) {
        case 0:
            break;
        case 1:
            disk_.fail_sync_after(pick(25));
            break;
        default:
            disk_.cut_power_after(pick(80));
        }
        waiting_.clear();
        bool fenced = false;
        for (auto steps = 1 + pick(60); steps > 0 && problem_.empty(); --steps) {
            step();
            auto outcomes = node_->take_outcomes();
            if (fenced && !outcomes.applied.empty())
                problem_ = "a fenced node answered OK";
            fenced = fenced || outcomes.fenced;
            for (const auto& batch : outcomes.applied)
                answer(batch);
            if (fenced && pick(4) == 0)
                break;
        }
        sums_.fenced += fenced ? 1 : 0;
        sums_.overtakings += node_->overtakings();
        durable_ = node_->replica().durable();
        // Sometimes only the process ends: what was written and not flushed is still to be seen.
        if (!disk_.has_power() || pick(4) != 0) {
            node_.reset();
            cut_power();
        }
    }

    void step() {
        now_ = now_ + static_cast<std::int64_t>(pick(5));
        const auto what = pick(20);
        if (what < 8)
            node_->flush(pick(3) == 0 ? 1 : 0);
        else if (what == 8)
            node_->idle(now_);
        else if (what == 9)
            derived_ = node_->checkpoint();
        else if (what == 10 || topics_sent_ == 0)
            send_topic();
        else if (what == 11)
            send_commit();
        else if (what == 12)
            node_->sync_late();
        else
            send_messages();
    }

    void send(broker::entry_draft draft, std::function<void(const broker::applied_batch&)> when_answered) {
        const broker::batch_ticket ticket{next_ticket_++};
        waiting_[ticket.value()] = std::move(when_answered);
        node_->append(std::move(draft), ticket, now_);
    }

    void answer(const broker::applied_batch& batch) {
        ++sums_.answered;
        waiting_.at(batch.ticket.value())(batch);
        waiting_.erase(batch.ticket.value());
    }

    // Topics get their ids in the order in which they are made, so number n has id n + 1.
    void send_topic() {
        const auto number = std::min(topics_sent_, most_topics - 1);
        broker::topic_config config;
        config.name = std::to_string(number);
        broker::entry_draft draft;
        draft.add(broker::command_kind::topic_put, broker::encode(config));
        send(std::move(draft), [this, number](const auto& batch) {
            checker_.topic_answered(number, batch.position);
            topics_sent_ = std::max(topics_sent_, number + 1);
        });
        if (topics_sent_ == 0)
            node_->flush(); // behind the leader's own entry
    }

    [[nodiscard]] queue_key some_queue() {
        return {topic_id{1 + static_cast<std::uint32_t>(pick(topics_sent_))},
                queue_number{static_cast<std::uint32_t>(pick(queues))}};
    }

    void send_commit() {
        const auto queue = some_queue();
        auto& next = commits_sent_[queue];
        next = next + 1 + static_cast<std::int64_t>(pick(3));
        broker::entry_draft draft;
        draft.add(broker::command_kind::offsets_commit,
                  broker::encode(std::vector<broker::offset_commit>{
                      {durability_checker::group, queue, queue_offset{next}}}));
        checker_.commit_tried(queue, queue_offset{next});
        send(std::move(draft), [this, queue, to = queue_offset{next}](const auto& batch) {
            checker_.commit_answered(queue, to, batch.position);
        });
    }

    void send_messages() {
        broker::entry_draft draft;
        std::vector<drafted_message> messages;
        const auto largest = pick(4) == 0 ? 6000U : 500U;
        for (auto count = 1 + pick(5); count > 0; --count) {
            const auto size = pick(largest);
            if (draft.size() + record_size(size) + 256 > settings_.segment_size / 2)
                break;
            const drafted_message message{next_name_++, some_queue(), draft.next_payload()};
            write_record(draft.add_message(message.queue, 0, record_size(size)), message.name, message.queue,
                         size);
            messages.push_back(message);
        }
        send(std::move(draft), [this, messages = std::move(messages)](const auto& batch) {
            checker_.answered(messages, batch);
        });
    }

    std::mt19937_64 random_;
    tally& sums_;
    storage::simulated_disk disk_;
    storage::fault_file_system files_;
    node_settings settings_;
    derived_copy derived_;
    std::unique_ptr<simulated_node> node_;
    durability_checker checker_;

    std::map<std::uint64_t, std::function<void(const broker::applied_batch&)>> waiting_;
    std::map<queue_key, std::int64_t> commits_sent_;
    std::uint64_t next_ticket_ = 1;
    std::uint64_t next_name_ = 1;
    std::uint32_t topics_sent_ = 0;
    log_position durable_; // of the node that lived last, when it ended
    timestamp_ms now_{1'700'000'000'000};
    std::string problem_;
};

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
    const char* const text = std::getenv(variable);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST(single_node, keeps_its_promises_through_power_cuts) {
    using clock = std::chrono::steady_clock;
    const auto deadline =
        clock::now() + std::chrono::seconds{number_from("HOLDFAST_SIMULATION_SECONDS", 50)} / 5;
    const auto first = number_from("HOLDFAST_SIMULATION_SEED", std::random_device{}());
    std::printf("HOLDFAST_SIMULATION_SEED=%llu\n", static_cast<unsigned long long>(first));
    tally sums;
    auto seed = first;
    for (; clock::now() < deadline; ++seed) {
        const auto problem = node_story{seed, false, sums}.run();
        ASSERT_EQ(problem, "") << "HOLDFAST_SIMULATION_SEED=" << seed;
    }
    std::printf(
        "%llu seeds, %llu lives, %llu batches answered, %llu power cuts, %llu lives fenced, "
        "%llu flushes overtook\n",
        static_cast<unsigned long long>(seed - first), static_cast<unsigned long long>(sums.lives),
        static_cast<unsigned long long>(sums.answered), static_cast<unsigned long long>(sums.power_cuts),
        static_cast<unsigned long long>(sums.fenced), static_cast<unsigned long long>(sums.overtakings));
    EXPECT_GT(sums.answered, 0U);
    EXPECT_GT(sums.overtakings, 0U);
    EXPECT_GT(sums.fenced, 0U);
}

// Seeds that are always the same: the first hundreds of them.
TEST(single_node, keeps_its_promises_for_the_known_seeds) {
    tally sums;
    for (std::uint64_t seed = 1; seed <= 500; ++seed)
        ASSERT_EQ((node_story{seed, false, sums}.run()), "") << "seed " << seed;
}

TEST(single_node, without_fsync_the_checker_reports_loss) {
    tally sums;
    int caught = 0;
    int lost = 0;
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        const auto problem = node_story{seed, true, sums}.run();
        caught += problem.empty() ? 0 : 1;
        lost += problem.starts_with("lost: ") ? 1 : 0;
    }
    std::printf("%d of 200 stories without fsync were caught, %d as lost messages\n", caught, lost);
    EXPECT_GT(caught, 160);
    EXPECT_GT(lost, 20);
}

} // namespace
} // namespace holdfast::simulation
