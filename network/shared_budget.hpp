// Memory that all connections share: when it is used up, those give way that hold more than an equal share.
//
// So one greedy client can't make the others lose their connections, and the sum stays bounded: whenever it
// is above the limit, somebody is above an equal share and is closed.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>

namespace holdfast::network {

class shared_budget {
  public:
    explicit shared_budget(std::size_t limit) : limit_(limit) {}

    void join() { ++members_; }
    void leave() { --members_; }

    // A member's part changes.
    void change(std::size_t before, std::size_t after) {
        if (after >= before)
            used_ += after - before;
        else
            used_ -= before - after;
    }

    // Whether a member that holds this much has to give way now.
    [[nodiscard]] bool must_yield(std::size_t held) const {
        return used_ > limit_ && held > limit_ / std::max<std::size_t>(1, members_);
    }

    [[nodiscard]] std::size_t used() const { return used_; }

  private:
    const std::size_t limit_;
    std::atomic<std::size_t> used_{0};
    std::atomic<std::size_t> members_{0};
};

} // namespace holdfast::network
