// One listening port: accepts connections, counts them in or refuses them, and gives each to an io thread.
//
// Lives on the first io thread. Running out of file descriptors or memory makes it pause (accept_backoff),
// not spin.
#pragma once

#include <utility> // Boost 1.74's Asio uses std::exchange without including it

#include "base/result.hpp"
#include "network/io_thread.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace holdfast::network {

class listener : public std::enable_shared_from_this<listener> {
  public:
    // Binds and listens; nothing is accepted before start(). `threads` is not empty; the first one accepts.
    static result<std::shared_ptr<listener>> open(const std::string& address, std::uint16_t port,
                                                  frame_handler& handler,
                                                  std::vector<std::shared_ptr<io_thread>> threads,
                                                  std::shared_ptr<runner_state> shared);

    listener(frame_handler& handler, std::vector<std::shared_ptr<io_thread>> threads,
             std::shared_ptr<runner_state> shared);

    [[nodiscard]] std::uint16_t port() const { return port_; }

    // From any thread, each once.
    void start();
    void stop();

  private:
    result<void> bind(const std::string& address, std::uint16_t port);
    void accept();
    void admit(boost::asio::ip::tcp::socket socket, std::shared_ptr<io_thread> target);
    void back_off(const boost::system::error_code& failure);

    frame_handler& handler_;
    const std::vector<std::shared_ptr<io_thread>> threads_;
    const std::shared_ptr<runner_state> shared_;
    boost::asio::ip::tcp::acceptor acceptor_;
    boost::asio::steady_timer backoff_timer_;
    std::uint16_t port_ = 0;
    std::size_t next_thread_ = 0;
};

} // namespace holdfast::network
