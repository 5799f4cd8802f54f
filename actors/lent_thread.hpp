// A thread lends itself to the actors that it wakes.
//
// Waking another thread costs more than a short turn of an actor (docs/decisions/0005). So a thread that
// would only wake somebody and go to sleep, or back to its own work, runs the woken actor itself: what is
// sent with this object as execution unit makes its receiver wait here, and run() gives it a turn, and then
// those whom it wakes in turn. One at a time: when somebody waits already, the one before goes to the
// scheduler's threads.
//
// Used by one thread, for actors of the scheduler (not detached ones), whose turns are short and never block.
#pragma once

#include <caf/actor_system.hpp>
#include <caf/resumable.hpp>
#include <caf/scheduler/abstract_coordinator.hpp>
#include <caf/scoped_execution_unit.hpp>

#include <cstddef>
#include <utility>

namespace holdfast::actors {

class lent_thread final : public caf::scoped_execution_unit {
  public:
    explicit lent_thread(caf::actor_system& system) : scoped_execution_unit(&system) {}
    lent_thread(const lent_thread&) = delete;
    lent_thread& operator=(const lent_thread&) = delete;
    ~lent_thread() override { hand_over(); }

    void exec_later(caf::resumable* job) override {
        hand_over();
        next_ = job;
    }

    // At most `turns`; whoever still waits then goes to the scheduler.
    void run(int turns) {
        for (; turns > 0 && next_ != nullptr; --turns) {
            auto* const job = std::exchange(next_, nullptr);
            if (job->resume(this, messages_per_turn) == caf::resumable::resume_later)
                system().scheduler().enqueue(job);
            else
                intrusive_ptr_release(job);
        }
        hand_over();
    }

  private:
    static constexpr std::size_t messages_per_turn = 200;

    void hand_over() {
        if (next_ != nullptr)
            system().scheduler().enqueue(std::exchange(next_, nullptr));
    }

    caf::resumable* next_ = nullptr; // holds a reference
};

} // namespace holdfast::actors
