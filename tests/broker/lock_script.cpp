// The scripts in lock_scripts/*.txt, one test each: a lock_keeper before a log of locks, as a consumer_group
// has them.
//
//     lock CLIENT queues=N,N... now=S     what goes into the log, then what the client has
//     unlock CLIENT queues=N,N...         what goes into the log
//     late QUEUE owner=CLIENT epoch=N     a change comes out of the log that was decided on an older state
//     restart now=S                       another keeper before the same log: a start, or another leader
//     who queues=N,N... now=S             whose locks are alive
#include "broker/lock_keeper.hpp"

#include "tests/broker/script_blocks.hpp"

#include <gtest/gtest.h>

#include <optional>

namespace holdfast::broker {
namespace {

using testing::script_event;

class lock_runner {
  public:
    void step(const script_event& event, std::ostream& out) {
        const auto now = lock_keeper::instant{std::chrono::seconds{event.number("now", 0)}};
        if (!keeper_ || event.name == "restart")
            keeper_.emplace([this](queue_key at) { return durable_.find("G", at); }, now,
                            std::chrono::seconds{60});
        std::vector<queue_key> queues;
        for (const auto& number : event.list("queues"))
            queues.push_back(queue(number));
        lock_batch batch;
        if (event.name == "lock") {
            keeper_->lock(event.subject, queues, now, batch);
            write(batch, out);
            out << event.subject << " has";
            const auto held = keeper_->held(event.subject, queues, now);
            for (const auto at : held)
                out << ' ' << at.queue;
            out << (held.empty() ? " nothing\n" : "\n");
        } else if (event.name == "unlock") {
            keeper_->unlock(event.subject, queues, batch);
            write(batch, out);
        } else if (event.name == "late") {
            const auto epoch = static_cast<std::uint64_t>(event.number("epoch", 0));
            put({queue(event.subject), {event.text("owner"), epoch}}, out);
        } else if (event.name == "who") {
            for (const auto at : queues) {
                const auto holder = keeper_->holder(at, now);
                out << at.queue << " is " << (holder.empty() ? "nobody's" : holder + "'s") << '\n';
            }
        } else if (event.name != "restart") {
            ADD_FAILURE() << "there is no event " << event.name;
        }
    }

  private:
    static queue_key queue(const std::string& number) {
        return {topic_id{1}, queue_number{static_cast<std::uint32_t>(std::stoul(number))}};
    }
    void write(const lock_batch& batch, std::ostream& out) {
        for (const auto& change : batch.changes())
            put(change, out);
    }
    void put(const lock_change& change, std::ostream& out) {
        const auto& [queue, lock] = change;
        out << "log: queue " << queue.queue << " is " << (lock.owner.empty() ? "nobody's" : lock.owner + "'s")
            << ", epoch " << lock.epoch << (durable_.apply("G", change) ? "\n" : ": does not count\n");
    }

    queue_locks durable_;
    std::optional<lock_keeper> keeper_;
};

class lock_script : public ::testing::TestWithParam<std::string> {};

TEST_P(lock_script, runs_as_written) {
    const auto script = testing::read_script(LOCK_SCRIPTS, GetParam());
    ASSERT_FALSE(script.empty());
    lock_runner runner;
    const auto run =
        testing::run_blocks(script, [&](const auto& event, auto& out) { runner.step(event, out); });
    EXPECT_EQ(run, script) << "as it really runs:\n" << run;
}

INSTANTIATE_TEST_SUITE_P(scripts, lock_script, ::testing::ValuesIn(testing::script_names(LOCK_SCRIPTS)),
                         [](const auto& script) { return script.param; });

} // namespace
} // namespace holdfast::broker
