// For what other processes and threads do in their own time.
#pragma once

#include <chrono>
#include <thread>

namespace holdfast::testing {

// Whether `condition` comes true before `patience` is over.
template <class Condition>
bool wait_for(std::chrono::milliseconds patience, Condition condition) {
    for (const auto deadline = std::chrono::steady_clock::now() + patience;
         std::chrono::steady_clock::now() < deadline;) {
        if (condition())
            return true;
        std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
    return condition();
}

} // namespace holdfast::testing
