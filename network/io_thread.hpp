// One thread, its event loop, and the connections that live on it.
//
// Everything here but start, stop, post and the constructor runs on that thread.
#pragma once

#include <utility> // Boost 1.74's Asio uses std::exchange without including it

#include "base/ids.hpp"
#include "network/runner_state.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <memory>
#include <string>
#include <thread>
#include <unordered_map>

namespace holdfast::network {

class frame_handler;
class tcp_connection;

class io_thread : public std::enable_shared_from_this<io_thread> {
  public:
    explicit io_thread(std::shared_ptr<runner_state> shared);
    ~io_thread();

    void start();
    // Finishes what is posted and joins. Connections and listeners must be closed, or about to be, before.
    void stop();

    template <class Task>
    void post(Task&& task) {
        boost::asio::post(context_, std::forward<Task>(task));
    }
    [[nodiscard]] boost::asio::io_context& context() { return context_; }

    // Takes over an accepted socket of this context, whose address has been admitted.
    void adopt(boost::asio::ip::tcp::socket socket, std::string address, frame_handler& handler);
    // A connection has closed.
    void forget(connection_id which) { connections_.erase(which); }

    void close_all_after_flush(const std::string& reason);
    void close_all_now(const std::string& reason);

  private:
    void schedule_sweep();
    // Deadlines are kept by one sweep over all connections, not by a timer for each.
    void sweep();
    template <class Visit>
    void for_each_connection(Visit visit);

    std::shared_ptr<runner_state> shared_;
    boost::asio::io_context context_{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
    boost::asio::steady_timer sweep_timer_;
    std::chrono::milliseconds sweep_interval_;
    std::unordered_map<connection_id, std::shared_ptr<tcp_connection>> connections_;
    bool is_stopping_ = false;
    std::thread thread_;
};

} // namespace holdfast::network
