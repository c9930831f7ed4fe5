// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QTimer>

#include <atomic>
#include <thread>
#include <vector>

namespace warplight::app {

/// How long the GUI thread lets an event wait, which is what delays a screen frame: a thread beside it posts an event,
/// takes the time until it is handled, waits a moment, and posts the next. Costs nothing while it does not measure.
class FrameClock : public QObject {
    Q_OBJECT
  public:
    explicit FrameClock(QObject* parent = nullptr);
    ~FrameClock() override;

    void setMeasuring(bool on); ///< forgets what was measured before
    bool measuring() const { return beat.joinable(); }
    /// All waits since measuring began in milliseconds (measured); at most the first 100,000.
    const std::vector<double>& measured() const { return waits; }

  signals:
    void ticked(double worst); ///< once a second while measuring: the longest wait of that second, ms

  private:
    void handled(double wait);

    std::thread beat;
    std::atomic<bool> ending{false}, pending{false};
    QTimer second;
    std::vector<double> waits;
    double worst = 0;
};

} // namespace warplight::app
